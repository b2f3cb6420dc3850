#include <xgrad/data/csv.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <set>

#include "data/checks.hpp"
#include "data/whole_file.hpp"

namespace xgrad::data {

// Reads text cell by cell into a Table.
class CsvReader {
 public:
  CsvReader(std::string_view text, const CsvOptions& options, std::string origin, Source source)
      : in_(text), o_(options), source_(source) {
    table_.origin_ = std::move(origin);
    table_.missing_ = options.missing;
    table_.decimal_ = options.decimal;
    if (o_.delimiter == o_.quote || o_.delimiter == '\n' || o_.delimiter == '\r')
      fail(source.named("csv"), "expected a delimiter that is no quote and ends no line");
    if (o_.decimal != '.' && o_.decimal != ',')
      fail(source.named("csv"), "expected a decimal '.' or ',', got '{}'", o_.decimal);
    if (o_.decimal == o_.delimiter || o_.decimal == o_.quote)
      fail(
          source.named("csv"),
          "expected a decimal that is neither the delimiter nor the quote, got '{}' as both; files with decimal commas "
          "mostly have the delimiter ';'",
          o_.decimal);
    if (in_.substr(0, 3) == "\xEF\xBB\xBF") at_ = 3;  // a byte order mark
  }

  Table read() {
    bool named = false;
    if (!o_.header && !o_.names.empty()) {
      table_.names_ = o_.names;
      check_names(1);
      named = true;
    }
    while (next_row()) {
      if (!named) {
        named = true;
        name_columns();
        if (o_.header) continue;
      }
      if (static_cast<Size>(row_.size()) != table_.columns())
        fail_at(line_of_row_, std::min(static_cast<Size>(row_.size()), table_.columns()) + 1,
                fmt::format("expected {} cells, got {}", table_.columns(), row_.size()));
      table_.cells_.insert(table_.cells_.end(), row_.begin(), row_.end());
      table_.lines_.push_back(line_of_row_);
    }
    return std::move(table_);
  }

 private:
  using Cell = Table::Cell;

  bool ends_line() const { return at_ == in_.size() || in_[at_] == '\n' || in_[at_] == '\r'; }
  bool is_blank(char c) const { return c == ' ' || (c == '\t' && o_.delimiter != '\t'); }
  void skip_blanks() {
    while (at_ < in_.size() && is_blank(in_[at_])) ++at_;
  }
  void skip_line_end() {
    if (in_.substr(at_, 2) == "\r\n") ++at_;
    if (at_ < in_.size()) ++at_;
    ++line_;
  }

  // The next row that is not empty; false at the end.
  bool next_row() {
    row_.clear();
    while (true) {
      const std::size_t start = at_;
      if (o_.trim || o_.delimiter == ' ') skip_blanks();
      if (!ends_line()) {
        at_ = start;
        break;
      }
      if (at_ == in_.size()) return false;
      skip_line_end();
    }
    line_of_row_ = line_;
    while (true) {
      if (o_.delimiter == ' ') {
        skip_blanks();
        if (ends_line()) break;
      }
      row_.push_back(next_cell());
      if (ends_line()) break;
      ++at_;  // the delimiter
    }
    skip_line_end();
    return true;
  }

  Cell next_cell() {
    const std::size_t start = at_;
    if (o_.trim) skip_blanks();
    if (at_ < in_.size() && in_[at_] == o_.quote) return quoted_cell();
    if (!o_.trim) at_ = start;
    const std::size_t from = at_;
    while (!ends_line() && in_[at_] != o_.delimiter && !(o_.delimiter == ' ' && is_blank(in_[at_]))) {
      if (in_[at_] == o_.quote)
        fail_here("a quote stands inside of a cell that is not quoted; quote the cell, and double the quote");
      ++at_;
    }
    std::size_t to = at_;
    while (o_.trim && to > from && is_blank(in_[to - 1])) --to;
    return kept(in_.substr(from, to - from));
  }

  Cell quoted_cell() {
    const Size opened = line_, column = static_cast<Size>(row_.size()) + 1;
    const auto from = static_cast<Size>(table_.text_.size());
    ++at_;
    while (true) {
      if (at_ == in_.size()) fail_at(opened, column, "the quote is not closed");
      const char c = in_[at_++];
      if (c == o_.quote) {
        if (at_ == in_.size() || in_[at_] != o_.quote) break;
        ++at_;
      }
      if (c == '\n' || (c == '\r' && (at_ == in_.size() || in_[at_] != '\n'))) ++line_;
      table_.text_ += c;
    }
    const auto size = static_cast<Size>(table_.text_.size()) - from;
    if (o_.trim) skip_blanks();
    const bool separated = o_.delimiter == ' ' && at_ > 0 && is_blank(in_[at_ - 1]);
    if (separated) --at_;
    if (!ends_line() && in_[at_] != o_.delimiter && !separated) fail_here("something follows the closing quote");
    return {from, size};
  }

  Cell kept(std::string_view cell) {
    const Cell made{static_cast<Size>(table_.text_.size()), static_cast<Size>(cell.size())};
    table_.text_ += cell;
    return made;
  }

  void name_columns() {
    for (std::size_t i = 0; i < row_.size(); ++i)
      table_.names_.push_back(o_.header ? std::string(table_.text_of(row_[i])) : std::to_string(i));
    if (!o_.header) return;
    if (!o_.names.empty()) {
      if (o_.names.size() != row_.size())
        fail_at(line_of_row_, 1,
                fmt::format("expected {} columns, as names are given, got {}", o_.names.size(), row_.size()));
      table_.names_ = o_.names;
    }
    check_names(line_of_row_);
  }
  void check_names(Size line) {
    std::set<std::string_view> known;
    for (std::size_t i = 0; i < table_.names_.size(); ++i)
      if (!known.insert(table_.names_[i]).second)
        fail_at(line, static_cast<Size>(i) + 1,
                table_.names_[i].empty()
                    ? "has no name, as one before it; name them in the file, or by {.names = {...}}"
                    : fmt::format("the name {} is there twice", table_.names_[i]));
  }

  [[noreturn]] void fail_here(const char* what) const { fail_at(line_, static_cast<Size>(row_.size()) + 1, what); }
  [[noreturn]] void fail_at(Size line, Size column, const std::string& what) const {
    const auto place = static_cast<std::size_t>(column - 1);
    const bool named = place < table_.names_.size() && !table_.names_[place].empty();
    fail(source_.named("csv"), "{}:{}: column {}{}: {}", table_.origin_, line, column,
         named ? fmt::format(" ({})", table_.names_[place]) : "", what);
  }

  std::string_view in_;
  std::size_t at_ = 0;
  Size line_ = 1, line_of_row_ = 1;
  std::vector<Cell> row_;
  const CsvOptions& o_;
  Source source_;
  Table table_;
};

Table parse_csv(std::string_view text, const CsvOptions& options, Source source) {
  return with_memory("csv", source, [&] { return CsvReader(text, options, "text", source).read(); });
}

Table read_csv(const std::string& path, const CsvOptions& options, Source source) {
  return with_memory("csv", source, [&] {
    const std::string text = whole_file("csv", path, source);
    return CsvReader(text, options, path, source).read();
  });
}

// The usual options take memory, which may fail here, and not where the user writes the call.
Table parse_csv(std::string_view text, Source source) {
  return with_memory("csv", source, [&] { return parse_csv(text, CsvOptions(), source); });
}
Table read_csv(const std::string& path, Source source) {
  return with_memory("csv", source, [&] { return read_csv(path, CsvOptions(), source); });
}

}  // namespace xgrad::data
