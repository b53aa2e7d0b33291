# shellcheck shell=bash disable=SC2034,SC2154
# The pin tang, against Debian's tangd.

start_tang tang1
url=$TANG_URL
thp=$(thumbprint tang1)
both_open "tang, S256 thumbprint" tang "{\"url\":\"$url\",\"thp\":\"$thp\"}"
both_open "tang, S1 thumbprint" tang "{\"url\":\"$url\",\"thp\":\"$(thumbprint tang1 S1)\"}"
both_open "tang, url without a scheme" tang "{\"url\":\"${url#http://}\",\"thp\":\"$thp\"}"
adv=$(curl -sf "$url/adv/")
both_open "tang, advertisement in the configuration" tang "{\"url\":\"$url\",\"adv\":$adv}"
printf '%s' "$adv" >"$work/adv.json"
both_open "tang, advertisement in a file" tang "{\"url\":\"$url\",\"adv\":\"$work/adv.json\"}"
for hash in S224 S384 S512; do
    config="{\"url\":\"$url\",\"thp\":\"$(thumbprint tang1 $hash)\"}"
    refuse "a thumbprint with $hash is refused" '^cvm-clevis: error: tang: ' cvm-clevis encrypt tang "$config" <"$work/secret"
done

cp "$work/ours.jwe" "$work/ours-before.jwe"
cp "$work/stock.jwe" "$work/stock-before.jwe"
rotate_tang tang1
expect "we open stock clevis' after the server's keys were rotated" ours_opens "$work/stock-before.jwe"
expect "stock clevis opens ours after the server's keys were rotated" stock_opens "$work/ours-before.jwe"
both_open "tang, new keys" tang "{\"url\":\"$url\",\"thp\":\"$(thumbprint tang1)\"}"
rm -f "$work/tang1"/.*.jwk
refuse "a server that forgot the key says so" 'tang: refused: .*404' cvm-clevis decrypt <"$work/stock-before.jwe"

cvm-clevis encrypt tang "{\"url\":\"$url\",\"adv\":$adv}" <"$work/secret" >"$work/gone.jwe"
kill "$TANG_PID"
wait "$TANG_PID" 2>/dev/null || true
refuse "a server that is gone is named with its address" "tang: unavailable: .*$url" cvm-clevis decrypt <"$work/gone.jwe"

# The server of what follows.
start_tang tang2
tang="{\"url\":\"$TANG_URL\",\"thp\":\"$(thumbprint tang2)\"}"
