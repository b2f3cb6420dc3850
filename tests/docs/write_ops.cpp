// write_ops PAGE: writes the tables of ops into the page, where they are not in it yet. A step of the build.
#include <cstdio>
#include <fstream>
#include <sstream>

#include "docs/ops_tables.hpp"

int main(int count, char** arguments) {
  if (count != 2) return std::fprintf(stderr, "usage: write_ops PAGE\n"), 2;
  std::ostringstream text;
  text << std::ifstream(arguments[1]).rdbuf();
  const std::string page = ops_tables::with_tables(text.str());
  if (page.empty()) return std::fprintf(stderr, "%s has no place for the tables of ops\n", arguments[1]), 1;
  if (page != text.str()) std::ofstream(arguments[1]) << page;
  return 0;
}
