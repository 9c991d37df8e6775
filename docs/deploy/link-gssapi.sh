#!/bin/sh
# Lets a virtual environment use Debian's python3-gssapi: PyPI has it only as source, which needs a
# compiler. Works where the environment's Python has the version of Debian's own.
#   link-gssapi.sh PYTHON
set -eu

python=$1
if "$python" -c 'import gssapi' 2>/dev/null; then exit 0; fi
debian=/usr/lib/python3/dist-packages
if [ ! -d $debian/gssapi ]; then
	echo "Kerberos is left out: the Python package gssapi is not there (apt install python3-gssapi)." >&2
	exit 1
fi
packages=$("$python" -c 'import sysconfig; print(sysconfig.get_path("platlib"))')
for module in gssapi decorator.py; do
	ln -sfn $debian/$module "$packages/$module"
done
if ! "$python" -c 'import gssapi' 2>/dev/null; then
	rm -f "$packages/gssapi" "$packages/decorator.py"
	echo "Kerberos is left out: Debian's python3-gssapi is for another Python than $python." >&2
	exit 1
fi
