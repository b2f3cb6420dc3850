#include <xgrad/data/csv.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <new>
#include <set>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
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
    if (o_.delimiter == o_.quote || o_.delimiter == '\n' || o_.delimiter == '\r')
      fail(source.named("csv"), "expected a delimiter that is no quote and ends no line");
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

bool Table::has(std::string_view column) const {
  return std::find(names_.begin(), names_.end(), column) != names_.end();
}

Size Table::place(std::string_view column, Source source) const {
  const auto found = std::find(names_.begin(), names_.end(), column);
  if (found != names_.end()) return found - names_.begin();
  std::string all;
  for (std::size_t i = 0; i < names_.size() && i < 20; ++i) all += (i ? ", " : "") + names_[i];
  fail(source.named("csv"), "{} has no column {}; there are {}{}", origin_, column, all,
       names_.size() > 20 ? ", ..." : "");
}

bool Table::misses(const Cell& c) const {
  return std::find(missing_.begin(), missing_.end(), text_of(c)) != missing_.end();
}

void Table::check_row(Size row, Source source) const {
  if (row < 0 || row >= rows()) fail(source.named("csv"), "expected a row below {}, got {}", rows(), row);
}

void Table::fail_cell(Size row, Size column, const std::string& what, Source source) const {
  std::string_view cell = text_of(this->cell(row, column));
  fail(source.named("csv"), "{}:{}: column {} ({}): {}, got '{}{}'", origin_, lines_[static_cast<std::size_t>(row)],
       column + 1, names_[static_cast<std::size_t>(column)], what, cell.substr(0, 40), cell.size() > 40 ? "..." : "");
}

std::string_view Table::text(Size row, std::string_view column, Source source) const {
  const Size at = place(column, source);
  check_row(row, source);
  return text_of(cell(row, at));
}
bool Table::is_missing(Size row, std::string_view column, Source source) const {
  const Size at = place(column, source);
  check_row(row, source);
  return misses(cell(row, at));
}

namespace {

// Of a decimal number that is not 0: is its first digit behind the point, with the exponent? (1e-999 is, and is as good as 0.)
bool is_below_one(std::string_view text) {
  const std::size_t e = std::min(text.find_first_of("eE"), text.size());
  Size place = 0;  // of the first digit that is not 0: 1 for units
  bool point = false, found = false;
  for (const char c : text.substr(0, e)) {
    if (c == '.') point = true;
    else if (c >= '0' && c <= '9') {
      found |= c != '0';
      place += !point && found ? 1 : point && !found ? -1 : 0;
    }
  }
  if (e == text.size()) return place <= 0;
  const std::string_view exponent = text.substr(e + 1);
  if (exponent[0] == '-' && exponent.size() > 18) return true;
  Size power = 0;
  std::from_chars(exponent.data() + (exponent[0] == '+'), exponent.data() + exponent.size(), power);
  return place + power <= 0;
}

}  // namespace

Tensor Table::numbers(const std::vector<std::string>& columns, DType dtype, Source source) const try {
  if (!is_float(dtype)) fail(source.named("csv"), "expected the dtype f32 or f64, got {}", name(dtype));
  std::vector<Size> places;
  places.reserve(columns.size());
  for (const std::string& column : columns) places.push_back(place(column, source));
  const Shape shape{rows(), static_cast<Size>(columns.size())};
  const Tensor made = filled(
      shape, f64,
      [&](void* memory) {
        auto* out = static_cast<double*>(memory);
        for (Size row = 0; row < rows(); ++row)
          for (const Size column : places) {
            const Cell& c = cell(row, column);
            std::string_view text = text_of(c);
            if (misses(c)) {
              *out++ = std::numeric_limits<double>::quiet_NaN();
              continue;
            }
            if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
            const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), *out);
            const bool beyond = error == std::errc::result_out_of_range;
            if ((error != std::errc() && !beyond) || end != text.data() + text.size())
              fail_cell(row, column, "expected a number", source);
            if (beyond) {
              if (!is_below_one(text)) fail_cell(row, column, "expected a number in the range of f64", source);
              *out = text[0] == '-' ? -0.0 : 0.0;
            }
            if (dtype == f32 && std::isfinite(*out) && std::isinf(static_cast<float>(*out)))
              fail_cell(row, column, "expected a number in the range of f32 (numbers(columns, f64) takes others)",
                        source);
            ++out;
          }
      },
      source, "csv");
  return cast(made, dtype);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "csv");
}

std::vector<std::string> Table::except(const std::vector<std::string>& columns, Source source) const try {
  for (const std::string& column : columns) place(column, source);
  std::vector<std::string> rest;
  for (const std::string& n : names_)
    if (std::find(columns.begin(), columns.end(), n) == columns.end()) rest.push_back(n);
  return rest;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "csv");
}

Table::Categories Table::categories(std::string_view column, std::vector<std::string> names, Source source) const try {
  const Size at = place(column, source);
  const bool given = !names.empty();
  if (!given) {
    std::set<std::string_view> seen;
    for (Size row = 0; row < rows(); ++row)
      if (const Cell& c = cell(row, at); !misses(c)) seen.insert(text_of(c));
    names.assign(seen.begin(), seen.end());
  }
  std::vector<std::pair<std::string_view, Size>> sorted;
  for (std::size_t i = 0; i < names.size(); ++i) sorted.push_back({names[i], static_cast<Size>(i)});
  std::sort(sorted.begin(), sorted.end());
  const auto twice =
      std::adjacent_find(sorted.begin(), sorted.end(), [](const auto& x, const auto& y) { return x.first == y.first; });
  if (twice != sorted.end())
    fail(source.named("csv"), "expected names that differ, got \"{}\" twice; name each category once", twice->first);
  std::vector<Size> codes;
  for (Size row = 0; row < rows(); ++row) {
    const Cell& c = cell(row, at);
    if (misses(c)) {
      codes.push_back(-1);
      continue;
    }
    const auto found = std::lower_bound(sorted.begin(), sorted.end(), std::pair(text_of(c), Size{0}));
    if (found == sorted.end() || found->first != text_of(c))
      fail_cell(row, at, "expected one of the names that are given", source);
    codes.push_back(found->second);
  }
  return {tensor(codes), std::move(names)};
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "csv");
}

Tensor Table::Categories::one_hot(DType dtype) const {
  return cast(unsqueeze(codes, 1) == arange(static_cast<Size>(names.size())), dtype);
}

Table Table::rows_of(const Tensor& index, Source source) const try {
  if (index.dtype(source) != i64 || index.dim() != 1)
    fail(source.named("csv"), "expected the rows as i64 [n], got {} {}", name(index.dtype()), index.shape());
  Table made;
  made.origin_ = origin_;
  made.text_ = text_;
  made.names_ = names_;
  made.missing_ = missing_;
  for (const Size row : index.to_vector<Size>(source)) {
    check_row(row, source);
    for (Size column = 0; column < columns(); ++column) made.cells_.push_back(cell(row, column));
    made.lines_.push_back(lines_[static_cast<std::size_t>(row)]);
  }
  return made;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "csv");
}

Table Table::complete() const try {
  std::vector<Size> kept;
  for (Size row = 0; row < rows(); ++row) {
    bool whole = true;
    for (Size column = 0; column < columns(); ++column) whole &= !misses(cell(row, column));
    if (whole) kept.push_back(row);
  }
  return rows_of(tensor(kept));
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "csv");
}

}  // namespace xgrad::data
