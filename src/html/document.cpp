#include "html/document.hpp"

#include "base/encoding.hpp"
#include "base/hash.hpp"
#include "html/style.hpp"
#include "html/text.hpp"

namespace audiostore::html {

std::string document(std::string_view title, const Markup& body) {
  // The one thing that the page may apply is the style sheet inside it, by its digest.
  Sha256Digest const digest = sha256(kStyle);
  std::string out = R"(<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"/>
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'sha256-)";
  out += base64(view(digest));
  out += R"('; base-uri 'none'; form-action 'none'"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<meta name="color-scheme" content="light dark"/>
<meta name="robots" content="noindex"/>
<title>)";
  append_escaped(out, title);
  out += "</title>\n<style>";
  out += kStyle;
  out += "</style></head>\n<body>";
  out += body.octets();
  out += "</body></html>\n";
  return out;
}

}  // namespace audiostore::html
