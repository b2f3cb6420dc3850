#include <xgrad/data/csv.hpp>

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>
#include <new>
#include <set>
#include <utility>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include "data/checks.hpp"

namespace xgrad::data {

bool Table::has(std::string_view column) const {
  return std::find(names_.begin(), names_.end(), column) != names_.end();
}

Size Table::place(std::string_view column, Source source) const {
  const auto found = std::find(names_.begin(), names_.end(), column);
  if (found != names_.end()) return found - names_.begin();
  if (names_.empty())
    fail(source.named("csv"), "{} has no column {}: it has no rows, and no names of columns; check what it holds",
         origin_, column);
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

void Table::fail_cell(Size row, Size column, const char* what, Source source, const char* remedy) const {
  std::string_view cell = text_of(this->cell(row, column));
  fail(source.named("csv"), "{}:{}: column {} ({}): {}, got '{}{}'{}{}", origin_, lines_[static_cast<std::size_t>(row)],
       column + 1, names_[static_cast<std::size_t>(column)], what, cell.substr(0, 40), cell.size() > 40 ? "..." : "",
       *remedy ? "; " : "", remedy);
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

// What to do about a cell that is no number.
const char* remedy_of(std::string_view cell, char decimal) {
  if (decimal == '.' && cell.find(',') != std::string_view::npos)
    return "CsvOptions.decimal = ',' reads decimal commas; leave out those between thousands";
  if (decimal == ',' && cell.find('.') != std::string_view::npos)
    return "CsvOptions.decimal is ','; leave out the points between thousands";
  return "list it in CsvOptions.missing where it stands for no value, or take the column by categories()";
}

}  // namespace

double Table::number(Size row, Size column, DType dtype, Source source) const {
  const Cell& c = cell(row, column);
  if (misses(c)) return std::numeric_limits<double>::quiet_NaN();
  std::string_view text = text_of(c);
  std::string with_point;
  if (decimal_ != '.' && text.find_first_of(".,") != std::string_view::npos) {
    with_point = text;
    for (char& x : with_point) x = x == decimal_ ? '.' : x == '.' ? decimal_ : x;
    text = with_point;
  }
  if (text.size() > 1 && text[0] == '+' && text[1] != '-') text.remove_prefix(1);
  double made = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), made);
  const bool beyond = error == std::errc::result_out_of_range;
  const bool is_nan = std::isnan(made);  // by a spelling that is not among the missing
  if ((error != std::errc() && !beyond) || end != text.data() + text.size() || is_nan)
    fail_cell(row, column, "expected a number", source, remedy_of(text_of(c), decimal_));
  if (beyond) {
    if (!is_below_one(text)) fail_cell(row, column, "expected a number in the range of f64", source);
    made = text[0] == '-' ? -0.0 : 0.0;
  }
  if (dtype == f32 && std::isfinite(made) && std::isinf(static_cast<float>(made)))
    fail_cell(row, column, "expected a number in the range of f32 (numbers(columns, f64) takes others)", source);
  return made;
}

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
          for (const Size column : places) *out++ = number(row, column, dtype, source);
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

Table::Categories Table::categories(std::string_view column, Source source) const try {
  const Size at = place(column, source);
  std::set<std::string_view> seen;
  for (Size row = 0; row < rows(); ++row)
    if (const Cell& c = cell(row, at); !misses(c)) seen.insert(text_of(c));
  return categories(column, std::vector<std::string>(seen.begin(), seen.end()), source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "csv");
}

Table::Categories Table::categories(std::string_view column, std::vector<std::string> names, Source source) const {
  return categories(column, std::move(names), CategoryOptions(), source);
}

Table::Categories Table::categories(std::string_view column, std::vector<std::string> names, CategoryOptions options,
                                    Source source) const try {
  const Size at = place(column, source), most = static_cast<Size>(names.size());
  if (options.unknown && (*options.unknown < -1 || *options.unknown > most))
    fail(source.named("csv"), "expected a code of what is unknown in -1 ... {}, got {}", most, *options.unknown);
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
    const bool known = found != sorted.end() && found->first == text_of(c);
    if (!known && !options.unknown)
      fail_cell(row, at, "expected one of the names that are given", source,
                "categories(column, names, {.unknown = -1}) takes others as missing");
    codes.push_back(known ? found->second : *options.unknown);
  }
  return {tensor(codes), std::move(names)};
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "csv");
}

Tensor Table::Categories::one_hot(DType dtype) const {
  return cast(unsqueeze(codes, 1) == arange(static_cast<Size>(names.size())), dtype);
}

Table Table::rows_of(const Tensor& index, Source source) const try {
  if (index.dtype(source.named("csv")) != i64 || index.dim() != 1)
    fail(source.named("csv"), "expected the rows as i64 [n], got {} {}", name(index.dtype()), index.shape());
  Table made;
  made.origin_ = origin_;
  made.text_ = text_;
  made.names_ = names_;
  made.missing_ = missing_;
  made.decimal_ = decimal_;
  for (const Size row : index.to_vector<Size>(source.named("csv"))) {
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
