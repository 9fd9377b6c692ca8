# shellcheck shell=bash disable=SC2034,SC2154
# Signed URLs in one statement. The limit next to it is a bare loop that hashes and signs texts of that length.

case_signed_url() {
    sql >/dev/null <<SQL
CREATE SERVER bench_sign FOREIGN DATA WRAPPER audiostore
    OPTIONS (provider 's3', bucket 'audio-assets', region 'us-east-1');
CREATE USER MAPPING FOR PUBLIC SERVER bench_sign
    OPTIONS (access_key_id 'AKIAIOSFODNN7EXAMPLE', secret_access_key 'wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY');
CREATE TABLE bench.signed AS
    SELECT 'uploads/u' || lpad((i % 1000)::text, 4, '0') || '/2025/11/20/' || md5(i::text) || '.opus' AS key
    FROM generate_series(1, 100000) i;
VACUUM ANALYZE bench.signed;
SQL
    for ((round = 1; round <= rounds; round++)); do
        progress "signed_url: round $round of $rounds"
        record limit "$("$programs/hmac")"
        timed took "SELECT count(audiostore.signed_url('bench_sign', key)) FROM bench.signed;"
        record urls "$(awk -F '\t' '$2 == "took" { ms = $3 } END { printf "%.0f", 100000 * 1000 / ms }' "$raw")"
    done
    compare 'signed_url (yardstick: SHA-256 and HMAC alone)' urls limit rate -
}
