import threading

from spiffe import JwtSource, X509Source

with X509Source() as x509, JwtSource() as jwt:

    def my_svid():
        return x509.get_x509_context().default_svid

    print("I am", my_svid().spiffe_id, flush=True)

    svid = jwt.fetch_svid(audience={"reports"})
    print("my token is for", *svid.audience, flush=True)

    def show():
        print("serial", my_svid().leaf.serial_number, flush=True)

    show()
    x509.subscribe_for_updates(show)
    threading.Event().wait()
