#!/bin/sh
# nginx.sh NGINX: starts it in front of the server at $BACKEND. SIGQUIT stops it gracefully.
# https://nginx.org/en/docs/control.html
here=$(cd "$(dirname "$0")" && pwd)
folder=$RUNTIME/nginx-$PORT
mkdir -p "$folder"
if [ -n "$TLS_CERT" ]; then
	tls=' ssl http2'
	printf 'ssl_certificate %s;\nssl_certificate_key %s;\n' "$TLS_CERT" "$TLS_KEY" >"$folder/tls.conf"
else
	tls=
	: >"$folder/tls.conf"
fi
sed "s#{port}#$PORT#; s#{tls}#$tls#; s#{backend}#$BACKEND#; s#{folder}#$folder#" "$here/nginx.conf" >"$folder/nginx.conf"
exec "$1" -e stderr -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;'
