"""The commands of ``oca-steering``, a module each, put together by steering.cli."""
