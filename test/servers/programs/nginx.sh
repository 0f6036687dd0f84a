#!/bin/sh
# nginx.sh NGINX: starts it in front of the server at $BACKEND. SIGQUIT stops it gracefully.
# https://nginx.org/en/docs/control.html
here=$(cd "$(dirname "$0")" && pwd)
folder=$RUNTIME/nginx-$PORT
mkdir -p "$folder"
sed "s#{port}#$PORT#; s#{backend}#$BACKEND#; s#{folder}#$folder#" "$here/nginx.conf" >"$folder/nginx.conf"
exec "$1" -e stderr -p "$folder" -c "$folder/nginx.conf" -g 'daemon off;'
