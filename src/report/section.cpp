#include "report/section.hpp"

#include "base/time_format.hpp"
#include "html/quantity.hpp"
#include "html/text.hpp"

namespace audiostore::report {

using html::element;
using html::Markup;

Markup when(std::optional<TimePoint> at, const Period& period, std::string_view otherwise) {
  if (!at) return {otherwise};
  return element("time", {{"datetime", iso8601(*at)}, {"title", html::second(*at)}}, html::ago(*at, period.now));
}

Markup words(const std::string& text, std::size_t limit) {
  if (text.empty()) return {};
  std::string const cut = html::shortened(text, limit);
  if (cut == text) return html::value(text);
  return element("bdi", {{"title", html::shortened(text, 4000)}}, cut);
}

Markup paragraph(const Markup& content) { return element("p", {}, content); }

Markup code(std::string_view sql) { return element("code", {}, sql); }

Markup key(const std::string& text, std::size_t limit) {
  return text.empty() ? Markup() : element("code", {}, words(text, limit));
}

}  // namespace audiostore::report
