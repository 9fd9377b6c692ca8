#include "html/markup.hpp"

#include "html/text.hpp"

namespace audiostore::html {
namespace {

void append_attribute(std::string& out, std::string_view name, std::string_view value) {
  out += ' ';
  out += name;
  out += "=\"";
  append_escaped(out, value);
  out += '"';
}

}  // namespace

Markup::Markup(std::string_view text) { append_escaped(octets_, text); }

Element::Element(Tag tag, Attributes attributes) : tag_(tag.view()) {
  std::string& out = markup_.octets_;
  out += '<';
  out += tag_;
  for (const Attribute& attribute : attributes) append_attribute(out, attribute.name.view(), attribute.value);
  out += '>';
}

Markup Element::finish() && {
  std::string& out = markup_.octets_;
  if (tag_ == "br") {
    out.insert(out.size() - 1, "/");
  } else {
    out += "</";
    out += tag_;
    out += '>';
  }
  return std::move(markup_);
}

Markup link_to(std::string_view id, const Markup& label) {
  Element link;
  link.tag_ = "a";
  link.markup_.octets_ = "<a";
  append_attribute(link.markup_.octets_, "href", "#" + std::string(id));
  link.markup_.octets_ += '>';
  link.add(label);
  return std::move(link).finish();
}

}  // namespace audiostore::html
