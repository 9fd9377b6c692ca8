#include "html/document.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "html/style.hpp"
#include "html/text.hpp"

namespace audiostore::html {

std::string document(std::string_view title, const Markup& body) {
  // The one thing that the page may apply is the style sheet inside it, by its digest.
  Sha256Digest const digest = sha256(kStyle);
  std::string out = "<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"/>\n";
  out += "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'sha256-";
  out += base64(view(digest));
  out += "'; base-uri 'none'; form-action 'none'\"/>\n";
  out += "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n";
  out += "<meta name=\"color-scheme\" content=\"light dark\"/>\n<meta name=\"robots\" content=\"noindex\"/>\n<title>";
  append_escaped(out, title);
  out += "</title>\n<style>";
  out += kStyle;
  out += "</style></head>\n<body>";
  out += body.octets();
  out += "</body></html>\n";
  return out;
}

}  // namespace audiostore::html
