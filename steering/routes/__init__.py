"""Who is near whom: prefixes by BGP and by lists, whose word goes first, and what is wrong with them."""
