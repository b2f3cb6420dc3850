// Tables of text: CSV files (RFC 4180), and what numbers and classes their columns hold.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <xgrad/autodiff/tensor.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

struct CsvOptions {
  char delimiter = ',';  // ' ': any run of blanks
  char quote = '"';      // "a, b" and "a ""word""": a cell that holds delimiters, line ends and, doubled, quotes
  bool header = true;    // the first row names the columns
  std::vector<std::string> names = {};  // the columns' names, where no row does; else "0", "1", ...
  std::vector<std::string> missing = {"", "?", "NA", "N/A", "NaN", "nan", "null"};  // what says that there is no value
  bool trim = true;    // blanks around cells without quotes go
  char decimal = '.';  // or ',', as in 1,5: another character than the delimiter and the quote
};

struct CategoryOptions {
  // The code of what is not among the names: -1, as if missing, ... the number of names; none: that is an Error.
  std::optional<Size> unknown = {};
};

// Rows of cells, by named columns. Cells are text until somebody asks what they hold.
class Table {
 public:
  Size rows() const { return columns() == 0 ? 0 : static_cast<Size>(cells_.size()) / columns(); }
  Size columns() const { return static_cast<Size>(names_.size()); }
  const std::vector<std::string>& names() const { return names_; }
  bool has(std::string_view column) const;

  std::string_view text(Size row, std::string_view column, Source source = Source::here()) const;
  bool is_missing(Size row, std::string_view column, Source source = Source::here()) const;

  // The columns' numbers, [rows, columns], NaN where one is missing. What is too small for f64 is 0. A cell that is no number, or
  // is too great for f64, is an Error that names the line of the file, the column and the cell.
  Tensor numbers(const std::vector<std::string>& columns, DType dtype = default_dtype(),
                 Source source = Source::here()) const;
  // All but these: numbers(except({"species"})).
  std::vector<std::string> except(const std::vector<std::string>& columns, Source source = Source::here()) const;

  struct Categories {
    Tensor codes;                                         // i64 [rows]: which name; -1 where it is missing
    std::vector<std::string> names;                       // in the order of the alphabet, or as given
    Tensor one_hot(DType dtype = default_dtype()) const;  // [rows, names]: a row of zeros where it is missing
  };
  // The classes that a column names.
  Categories categories(std::string_view column, Source source = Source::here()) const;
  // By names that are given (those of the rows one trains on): another is an Error, or has the code options.unknown.
  Categories categories(std::string_view column, std::vector<std::string> names, Source source = Source::here()) const;
  Categories categories(std::string_view column, std::vector<std::string> names, CategoryOptions options,
                        Source source = Source::here()) const;

  // The rows that a vector of i64 names, or those in which no cell is missing.
  Table rows_of(const Tensor& index, Source source = Source::here()) const;
  Table complete() const;

 private:
  friend class CsvReader;
  struct Cell {
    Size from, size;  // of text_
  };
  Size place(std::string_view column, Source source) const;
  const Cell& cell(Size row, Size column) const { return cells_[static_cast<std::size_t>(row * columns() + column)]; }
  std::string_view text_of(const Cell& c) const {
    return std::string_view(text_).substr(static_cast<std::size_t>(c.from), static_cast<std::size_t>(c.size));
  }
  bool misses(const Cell& c) const;
  void check_row(Size row, Source source) const;
  double number(Size row, Size column, DType dtype, Source source) const;
  [[noreturn]] void fail_cell(Size row, Size column, const char* what, Source source, const char* remedy = "") const;

  std::string origin_;       // the file, for Errors
  std::string text_;         // what cells are parts of, without their quotes
  std::vector<Cell> cells_;  // row by row
  std::vector<Size> lines_;  // of the file, where each row begins
  std::vector<std::string> names_, missing_;
  char decimal_ = '.';
};

// A file; or its text, that came from elsewhere. Empty lines are passed over, lines end with \n, \r\n or \r. An Error names the line, the
// column and the reason: a row of another number of cells, a quote that is not closed, or has something after it, or stands
// inside of a cell that is not quoted; two columns of one name; no rows at all are a table of none.
Table read_csv(const std::string& path, const CsvOptions& options, Source source = Source::here());
Table read_csv(const std::string& path, Source source = Source::here());
Table parse_csv(std::string_view text, const CsvOptions& options, Source source = Source::here());
Table parse_csv(std::string_view text, Source source = Source::here());

}  // namespace xgrad::data

#pragma GCC visibility pop
