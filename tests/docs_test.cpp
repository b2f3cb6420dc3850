// docs/ops.md lists the ops that there are: the build has written it.
#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <string>

#include "docs/ops_tables.hpp"

namespace {

std::string read(const std::filesystem::path& path) {
  std::ostringstream text;
  text << std::ifstream(path).rdbuf();
  return text.str();
}

std::string differences(const std::string& page, const std::string& tables) {
  std::string all;
  const auto lines_without = [&](const std::string& of, const std::string& other, char mark) {
    std::istringstream lines(of);
    for (std::string line; std::getline(lines, line);)
      if (("\n" + other).find("\n" + line + "\n") == std::string::npos) all += fmt::format("\n{} {}", mark, line);
  };
  lines_without(page, tables, '-');
  lines_without(tables, page, '+');
  return all;
}

}  // namespace

BOOST_AUTO_TEST_CASE(list_of_ops) {
  const std::string page = read(std::filesystem::path(XGRAD_SOURCE_DIR) / "docs/ops.md"),
                    right = ops_tables::with_tables(page);
  BOOST_REQUIRE_MESSAGE(!right.empty(), "docs/ops.md has no place for the tables");
  BOOST_CHECK_MESSAGE(page == right,
                      "docs/ops.md is stale; a build of everything writes it:" << differences(page, right));
  const std::string none = std::string("# Ops\n") + ops_tables::begin_mark + ops_tables::end_mark;
  BOOST_TEST(ops_tables::with_tables(none).find("| `tanh` |") != std::string::npos);
  BOOST_TEST(ops_tables::with_tables("# Ops\n").empty());
}
