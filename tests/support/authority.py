"""A certification authority for the tests, with certificates of every bad kind.

SPDX-License-Identifier: BSD-3-Clause
"""

import pathlib
import subprocess

CONFIG = """
[ca]
default_ca = here
[here]
database = {0}/index
serial = {0}/serial
crlnumber = {0}/crlnumber
new_certs_dir = {0}
certificate = {0}/ca.pem
private_key = {0}/ca.key
default_md = sha256
default_days = 20
policy = any
unique_subject = no
copy_extensions = copy
[any]
commonName = optional
countryName = optional
organizationName = optional
organizationalUnitName = optional
emailAddress = optional
[req]
distinguished_name = any
"""
CURVE = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
LONG_AGO = ("20200101000000Z", "20210101000000Z")
LATER = ("20900101000000Z", "20910101000000Z")


class Authority:
    """One in a directory of its own. certificate is the path of its own certificate."""

    def __init__(self, directory, name="Murder CA"):
        self.directory = pathlib.Path(directory)
        self.directory.mkdir(parents=True)
        self.certificate = self.directory / "ca.pem"
        self.config = self.directory / "openssl.cnf"
        self.config.write_text(CONFIG.format(self.directory))
        (self.directory / "index").touch()
        (self.directory / "serial").write_text("01\n")
        (self.directory / "crlnumber").write_text("01\n")
        self.made = 0
        self._openssl("req", "-x509", *CURVE, "-days", "30", "-subj", f"/CN={name}",
                      "-addext", "basicConstraints=critical,CA:TRUE",
                      "-addext", "keyUsage=critical,keyCertSign,cRLSign",
                      "-keyout", self.directory / "ca.key", "-out", self.certificate)

    def _openssl(self, *words):
        done = subprocess.run(["openssl", words[0], *map(str, words[1:])], capture_output=True,
                              text=True, check=False)
        assert done.returncode == 0, f"openssl {words}: {done.stderr}"
        return done.stdout

    def issue(self, subject, *extensions, dates=None):
        """Sign a certificate; return the paths of (certificate, key).

        subject: as "/CN=backend1"; extensions: as "subjectAltName=DNS:backend1.test"; dates: two
        of the form YYYYMMDDHHMMSSZ.
        """
        self.made += 1
        base = self.directory / f"{self.made}"
        certificate, key, request = (base.with_suffix(end) for end in (".pem", ".key", ".csr"))
        added = [word for extension in extensions for word in ("-addext", extension)]
        self._openssl("req", "-new", *CURVE, "-config", self.config, "-subj",
                      subject, *added, "-keyout", key, "-out", request)
        when = ("-startdate", dates[0], "-enddate", dates[1]) if dates else ()
        self._openssl("ca", "-batch", "-notext", "-preserveDN", "-config", self.config,
                      "-in", request, "-out", certificate, *when)
        return certificate, key

    def revoke(self, certificate):
        self._openssl("ca", "-config", self.config, "-revoke", certificate)

    def crl(self, dates=None):
        """Write the list of revoked certificates; return its path."""
        path = self.directory / "crl.pem"
        when = (("-crl_lastupdate", dates[0], "-crl_nextupdate", dates[1]) if dates
                else ("-crldays", "30"))
        self._openssl("ca", "-config", self.config, "-gencrl", "-out", path, *when)
        return path
