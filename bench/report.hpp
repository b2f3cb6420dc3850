// How measured rows are shown.
#pragma once

#include <string>
#include <vector>

#include "bench/measure.hpp"

namespace bench {

struct Table {
  std::string title;
  std::vector<std::string> header;
  std::vector<std::vector<std::string>> cells;  // row by row; the first column is text, the others are numbers
};

Table table_of(const std::string& title, const std::vector<Measured>& rows);
Table table_of(const std::string& title, const std::vector<LoopMeasured>& rows);

std::string line_of(const Measured& row);  // for who waits
std::string as_text(const Table& table);
std::string as_markdown(const Table& table);

// CPU, cores, compiler.
std::string machine();

// Puts text between the markers <!-- bench --> and <!-- /bench --> of a file.
void write_between_markers(const std::string& path, const std::string& text);

}  // namespace bench
