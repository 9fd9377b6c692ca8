// Pages in which nobody can forget to escape: a Markup is made of text, which is escaped, or of elements, whose names
// are written in the source. What would surprise you: a name that is not in the lists below does not compile, so there
// is no way to make a script, to load anything, or to link anywhere but into the page itself.
#pragma once

#include <algorithm>
#include <initializer_list>
#include <string>
#include <string_view>
#include <utility>

namespace audiostore::html {

// A word known when the program is compiled, one of those allowed.
template <const auto& kAllowed>
class Word {
 public:
  template <std::size_t N>
  consteval Word(const char (&word)[N]) : word_(word, N - 1) {  // NOLINT(google-explicit-constructor)
    if (std::find(std::begin(kAllowed), std::end(kAllowed), word_) == std::end(kAllowed)) throw "not allowed in a page";
  }
  constexpr std::string_view view() const { return word_; }

 private:
  std::string_view word_;
};

inline constexpr std::string_view kTags[] = {
    "article",
    "b",
    "bdi",
    "br",
    "code",
    "dd",
    "div",
    "dl",
    "dt",
    "figcaption",
    "figure",
    "footer",
    "h1",
    "h2",
    "h3",
    "header",
    "li",
    "main",
    "nav",
    "ol",
    "p",
    "pre",
    "section",
    "small",
    "span",
    "strong",
    "table",
    "tbody",
    "td",
    "th",
    "thead",
    "time",
    "tr",
    "ul",
    // of SVG
    "circle",
    "desc",
    "g",
    "line",
    "path",
    "rect",
    "svg",
    "text",
    "title",
};
inline constexpr std::string_view kAttributes[] = {
    "aria-label",
    "aria-hidden",
    "class",
    "datetime",
    "id",
    "role",
    "scope",
    "title",
    // of SVG
    "cx",
    "cy",
    "d",
    "height",
    "preserveAspectRatio",
    "r",
    "text-anchor",
    "viewBox",
    "width",
    "x",
    "x1",
    "x2",
    "y",
    "y1",
    "y2",
};
using Tag = Word<kTags>;
using AttributeName = Word<kAttributes>;

struct Attribute {
  AttributeName name;
  std::string value;
};
using Attributes = std::initializer_list<Attribute>;

class Markup {
 public:
  Markup() = default;
  // Text: shown as it is, whatever it is.
  Markup(std::string_view text);                                       // NOLINT(google-explicit-constructor)
  Markup(const std::string& text) : Markup(std::string_view(text)) {}  // NOLINT(google-explicit-constructor)
  Markup(const char* text) : Markup(std::string_view(text)) {}         // NOLINT(google-explicit-constructor)

  Markup& operator+=(const Markup& next) {
    octets_ += next.octets_;
    return *this;
  }
  friend Markup operator+(Markup left, const Markup& right) { return left += right; }

  bool empty() const { return octets_.empty(); }
  const std::string& octets() const { return octets_; }  // HTML that is well-formed XML as well, ASCII only

 private:
  friend class Element;
  friend Markup link_to(std::string_view, const Markup&);
  std::string octets_;
};

// An element while it is written.
class Element {
 public:
  Element(Tag tag, Attributes attributes);
  void add(const Markup& child) { markup_ += child; }
  Markup finish() &&;

 private:
  friend Markup link_to(std::string_view, const Markup&);
  Element() = default;
  std::string_view tag_;
  Markup markup_;
};

template <class... Children>
Markup element(Tag tag, Attributes attributes, const Children&... children) {
  Element made(tag, attributes);
  (made.add(children), ...);
  return std::move(made).finish();
}

// A link to the element of this page with that id.
Markup link_to(std::string_view id, const Markup& label);

// A value that came from people: its direction of writing stays its own affair.
inline Markup value(std::string_view text) { return element("bdi", {}, text); }

}  // namespace audiostore::html
