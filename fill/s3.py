"""Signs what is asked of private S3 buckets (AWS Signature Version 4), by botocore, so that an origin may be one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from urllib.parse import quote

from msgspec import Struct
from yarl import URL


class Bucket(Struct, frozen=True):
    """A bucket, or a part of one: what is below ``url`` is asked for by ``key_id``. ``secret`` is never shown."""

    url: str
    region: str
    key_id: str
    secret: str


class S3Signer:
    """Adds the signature where a URL is below a bucket's; elsewhere nothing."""

    def __init__(self, buckets: Sequence[Bucket]) -> None:
        # The longest first, so that a part of a bucket may have a key of its own.
        self._buckets = sorted(buckets, key=lambda bucket: -len(bucket.url))

    def url_of(self, base: str, path: str) -> URL:
        """The URL of ``path`` below ``base``, escaped as the signature wants it where there is one."""
        escaped = quote(path, safe="/-_.~") if self._bucket_of(base + path) is not None else path
        return URL(base + escaped, encoded=True)

    def signed(self, url: URL, headers: Mapping[str, str]) -> dict[str, str]:
        """``headers`` for a GET of ``url``, with what the bucket wants to see beside them."""
        bucket = self._bucket_of(str(url))
        if bucket is None:
            return dict(headers)
        # Loaded where a bucket is set up alone: it brings 20 MB of modules.
        from botocore.auth import S3SigV4Auth  # noqa: PLC0415
        from botocore.awsrequest import AWSRequest  # noqa: PLC0415
        from botocore.credentials import Credentials  # noqa: PLC0415

        request = AWSRequest("GET", str(url), headers=dict(headers))
        S3SigV4Auth(Credentials(bucket.key_id, bucket.secret), "s3", bucket.region).add_auth(request)
        return dict(request.headers.items())

    def _bucket_of(self, url: str) -> Bucket | None:
        return next((bucket for bucket in self._buckets if f"{url}/".startswith(f"{bucket.url}/")), None)


UNSIGNED = S3Signer(())
