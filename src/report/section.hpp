// What a section gives to the report: its part of the page, figures for the top of it, and what needs attention.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "html/markup.hpp"
#include "report/facts.hpp"

namespace audiostore::report {

struct Tile {
  std::string name;
  std::string figure;
  html::Markup note;
  bool alarm = false;
};

// Something that somebody should look at, and what to do: SQL to run as it is, or to begin with.
struct Concern {
  bool urgent = false;  // something does not happen that should
  std::string what;
  html::Markup detail;
  std::optional<TimePoint> since{};
  std::vector<std::string> sql{};
  // The alert (name, subject) that says the same, and less.
  std::pair<std::string, std::string> alert{};
};

struct Section {
  std::string id;
  std::string title;
  html::Markup lead{};
  html::Markup body{};
  std::vector<Tile> tiles{};
  std::vector<Concern> concerns{};
};

// An empty id: nothing to show where the feature is not used.
Section storage_section(const Period& period);
Section growth_section(const Period& period);
Section audits_section(const Period& period);
Section temporary_section(const Period& period);
Section queue_section(const Period& period);
Section policies_section(const Period& period);
Section quotas_section(const Period& period);
Section cache_section(const Period& period);
Section runs_section(const Period& period);
Section jobs_section(const Period& period);
Section alerts_section(const Period& period);

// A point in time as its distance from now, with the exact one at hand.
html::Markup when(std::optional<TimePoint> at, const Period& period, std::string_view otherwise = "");

// Text that people or programs wrote, cut where it is long; the whole of it (within reason) at hand.
html::Markup words(const std::string& text, std::size_t limit = 300);

html::Markup paragraph(const html::Markup& content);

// A name or call of SQL within a sentence.
html::Markup code(std::string_view sql);

// Names of stores and keys.
html::Markup key(const std::string& text, std::size_t limit = 160);

}  // namespace audiostore::report
