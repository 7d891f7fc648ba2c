from oca.admin.tls import CertificateStatus, tls_status
from oca.delivery.tls_keeper import TlsState
from oca.delivery.tls_material import Pair


def test_status_tells_who_encrypts_and_until_when_certificates_are_good() -> None:
    pair = Pair(
        chain_file="/c.pem", key_file="/k.pem", names=("a.example",), valid_from_s=0.0, expires_at_s=1_800_000_000.0
    )
    told = tls_status(TlsState(mode="ktls", why=(), shared_tickets=True, certificates=(pair,)))
    assert told is not None
    assert (told.mode, told.shared_tickets) == ("ktls", True)
    assert told.certificates == [
        CertificateStatus(file="/c.pem", names=["a.example"], expires_at_ns=1_800_000_000 * 10**9)
    ]
    assert tls_status(None) is None
