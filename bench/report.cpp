#include "bench/report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <stdexcept>
#include <thread>

namespace bench {
namespace {

std::string three_digits(double number) {
  return fmt::format("{:.{}f}", number, number < 9.995 ? 2 : number < 99.95 ? 1 : 0);
}

std::string shown(double number, Unit unit) {
  if (unit == Unit::bytes) return fmt::format("{:.0f} MB", number / 1e6);
  const auto [scale, name] = number < 1e-6   ? std::pair(1e9, "ns")
                             : number < 1e-3 ? std::pair(1e6, "us")
                             : number < 1    ? std::pair(1e3, "ms")
                                             : std::pair(1.0, "s");
  return fmt::format("{} {}", three_digits(number * scale), name);
}
std::string shown(const std::optional<double>& number, Unit unit) { return number ? shown(*number, unit) : ""; }

std::string times(const std::optional<double>& ratio) { return ratio ? three_digits(*ratio) + " x" : ""; }

std::string target(const char* which, double ratio) {
  return ratio > 0 ? fmt::format("{} {:.4g} x", which, ratio) : "";
}

std::string target_of(const Measured& row) {
  return row.most > 0 ? "≤ " + shown(row.most, row.unit) : target("≥", row.target);
}

// Ratios are rounded as they are shown: 49.96 shows as 50.0 and meets 50.
std::string met(const Measured& row) {
  bool judged = false, good = true;
  if (row.target > 0 && row.times_torch) {
    judged = true;
    good &= std::stod(three_digits(*row.times_torch)) >= row.target;
  }
  if (row.hand_target > 0 && row.times_hand) {
    judged = true;
    good &= std::stod(three_digits(*row.times_hand)) <= row.hand_target;
  }
  if (row.most > 0 && row.median[xgrad]) {
    judged = true;
    good &= *row.median[xgrad] <= row.most;
  }
  return judged ? good ? "yes" : "no" : "";
}

}  // namespace

Table table_of(const std::string& title, const std::vector<Measured>& rows) {
  Table table{
      title,
      {"work", "libtorch", "xgrad", "libtorch / xgrad", "target", "by hand", "xgrad / by hand", "target", "met"},
      {}};
  for (const Measured& row : rows)
    table.cells.push_back({row.label, shown(row.median[torch], row.unit), shown(row.median[xgrad], row.unit),
                           times(row.times_torch), target_of(row), shown(row.median[hand], row.unit),
                           times(row.times_hand), target("≤", row.hand_target), met(row)});
  return table;
}

Table table_of(const std::string& title, const std::vector<LoopMeasured>& rows) {
  Table table{title, {"steps", "libtorch, a step", "xgrad, a step", "to the first row", "evaluated nodes, a step"}, {}};
  for (const LoopMeasured& row : rows)
    table.cells.push_back({std::to_string(row.steps), shown(row.torch, Unit::seconds), shown(row.xgrad, Unit::seconds),
                           times(row.xgrad / rows[0].xgrad), three_digits(row.nodes)});
  return table;
}

std::string line_of(const Measured& row) {
  std::string line = row.label + ":";
  for (const Side side : {torch, xgrad, hand})
    if (row.median[side]) line += fmt::format("  {} {}", side_names[side], shown(*row.median[side], row.unit));
  if (row.times_torch) line += fmt::format("  {} {}", times(row.times_torch), target("≥", row.target));
  if (row.times_hand) line += fmt::format("  {} by hand {}", times(row.times_hand), target("≤", row.hand_target));
  return line;
}

namespace {

std::size_t width_of(const std::string& text) {  // in characters of UTF-8
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) { return (c & 0xc0) != 0x80; }));
}

std::vector<std::size_t> widths_of(const Table& table) {
  std::vector<std::size_t> widths;
  for (const std::string& name : table.header) widths.push_back(width_of(name));
  for (const auto& row : table.cells)
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  return widths;
}

std::string line(const std::vector<std::string>& cells, const std::vector<std::size_t>& widths, const char* between) {
  std::string text;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::string fill(widths[i] - width_of(cells[i]), ' ');
    if (i) text += between + fill + cells[i];
    else text += cells[i] + fill;
  }
  return text;
}

}  // namespace

std::string as_text(const Table& table) {
  const auto widths = widths_of(table);
  std::string text = table.title + "\n" + line(table.header, widths, "  ") + "\n";
  for (const auto& row : table.cells) text += line(row, widths, "  ") + "\n";
  return text;
}

std::string as_markdown(const Table& table) {
  const auto widths = widths_of(table);
  std::string text = table.title + "\n\n| " + line(table.header, widths, " | ") + " |\n|";
  for (std::size_t i = 0; i < widths.size(); ++i) text += std::string(widths[i] + 1, '-') + (i ? ":|" : "-|");
  text += "\n";
  for (const auto& row : table.cells) text += "| " + line(row, widths, " | ") + " |\n";
  return text;
}

std::string machine() {
  std::ifstream cpus("/proc/cpuinfo");
  std::string cpu = "unknown CPU", family, model;
  const auto value = [](const std::string& text) { return text.substr(std::min(text.find(':') + 2, text.size())); };
  for (std::string text; std::getline(cpus, text) && !text.empty();) {
    if (text.rfind("model name", 0) == 0) cpu = value(text);
    else if (text.rfind("cpu family", 0) == 0) family = value(text);
    else if (text.rfind("model\t", 0) == 0) model = value(text);
  }
  return fmt::format("{} (family {}, model {}), {} cores, GCC {}", cpu, family, model,
                     std::thread::hardware_concurrency(), __VERSION__);
}

void write_between_markers(const std::string& path, const std::string& text) {
  std::stringstream read;
  read << std::ifstream(path).rdbuf();
  std::string whole = read.str();
  const std::string begin = "<!-- bench -->\n", end = "<!-- /bench -->";
  const std::size_t from = whole.find(begin), to = whole.find(end);
  if (from == std::string::npos || to == std::string::npos || to < from)
    throw std::runtime_error(path + " has no markers <!-- bench --> and <!-- /bench -->");
  whole.replace(from + begin.size(), to - from - begin.size(), text);
  const std::string beside = path + ".new";
  if (!(std::ofstream(beside) << whole).flush()) throw std::runtime_error("cannot write " + beside);
  std::filesystem::rename(beside, path);
}

}  // namespace bench
