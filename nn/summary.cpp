#include <fmt/core.h>

#include <algorithm>

#include <xgrad/nn/model.hpp>
#include <xgrad/nn/sequential.hpp>

namespace xgrad::nn {
namespace {

struct Row {
  std::string name, type, shapes;
  Size count = 0;
};

struct Rows final : Walker {
  void enter(const Path& path, const Visit& visit) override {
    open.push_back(rows.size());
    rows.push_back({path.dotted(), type_name(*visit.type), "", 0});
  }
  void leave() override { open.pop_back(); }
  void parameter(const Path& path, Parameter& p) override {
    count += p.numel();
    bytes += p.numel() * item_size(p.dtype());
    add(path, p.value(), "").count += p.numel();
  }
  void buffer(const Path& path, Tensor& t) override { add(path, t, " (buffer)"); }

  // The row of the layer that holds the field.
  Row& add(const Path& path, const Tensor& t, const char* note) {
    if (open.empty()) enter(Path{}, Visit{nullptr, &typeid(void), nullptr});
    Row& row = rows[open.back()];
    const std::string full = path.dotted();
    const std::string field = row.name.empty() ? full : full.substr(row.name.size() + 1);
    row.shapes += fmt::format("{}{} {}{}", row.shapes.empty() ? "" : ", ", field, t.shape(), note);
    return row;
  }

  std::vector<Row> rows;
  std::vector<std::size_t> open;
  Size count = 0, bytes = 0;
};

// 1234567 -> "1,234,567"
std::string grouped(Size n) {
  std::string digits = std::to_string(n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3)
    digits.insert(digits.begin() + at, ',');
  return digits;
}

std::string sized(Size bytes) {
  constexpr const char* units[] = {"B", "KiB", "MiB", "GiB", "TiB"};
  auto size = static_cast<double>(bytes);
  int unit = 0;
  for (; size >= 1024 && unit < 4; ++unit) size /= 1024;
  return fmt::format("{:.{}f} {}", size, unit == 0 ? 0 : 1, units[unit]);
}

}  // namespace

std::string summary(AnyModel model) {
  Rows walked;
  model.walk(walked);
  // The model itself heads the table only where it has parameters of its own or is all there is.
  std::vector<Row>& rows = walked.rows;
  if (rows.size() > 1 && rows[0].shapes.empty()) rows.erase(rows.begin());
  for (Row& row : rows)
    if (row.name.empty()) row.name = "(model)";

  std::size_t name = 5, type = 4, shapes = 10, count = 5;  // widths, of the headings at least
  for (const Row& row : rows) {
    name = std::max(name, row.name.size());
    type = std::max(type, row.type.size());
    shapes = std::max(shapes, row.shapes.size());
    count = std::max(count, grouped(row.count).size());
  }
  const auto line = [&](const std::string& a, const std::string& b, const std::string& c, const std::string& d) {
    std::string text = fmt::format("{:<{}}  {:<{}}  {:<{}}  {:>{}}", a, name, b, type, c, shapes, d, count);
    text.resize(text.find_last_not_of(' ') + 1);
    return text += '\n';
  };
  std::string table = line("layer", "type", "parameters", "count");
  table.append(name + type + shapes + count + 6, '-') += '\n';
  for (const Row& row : rows)
    table += line(row.name, row.type, row.shapes, row.shapes.empty() ? "" : grouped(row.count));
  return table + fmt::format("{} parameters, {}", grouped(walked.count), sized(walked.bytes));
}

}  // namespace xgrad::nn
