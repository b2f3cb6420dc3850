#include <fmt/core.h>

#include <algorithm>
#include <new>
#include <unordered_map>
#include <unordered_set>

#include "autodiff/recorded.hpp"
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/model.hpp>
#include <xgrad/nn/sequential.hpp>
#include "nn/noted.hpp"

namespace xgrad::nn {

// While one lives, the layers of this thread note what they make.
class Notes {
 public:
  Notes() : before_(notes) { notes = this; }
  ~Notes() { notes = before_; }
  Notes(const Notes&) = delete;
  Notes& operator=(const Notes&) = delete;
  std::unordered_map<const engine::Variable*, Shape> shapes;

 private:
  Notes* before_;
};
constinit thread_local Notes* notes = nullptr;
void note(const Parameter& of, const Tensor& y) {
  if (of.defined()) notes->shapes[of.variable()] = y.shape();
}

namespace {

struct Row {
  std::string name, type, shapes;
  Size count = 0, multiply_adds = 0;
  std::string output = {};
};

struct Rows final : Walker {
  // A layer of its parent's name is what that wraps: they have one row.
  void enter(const Path& path, const Visit& visit) override {
    std::string name = path.dotted();
    const bool wrapped = !open.empty() && rows[open.back()].name == name;
    open.push_back(wrapped ? open.back() : rows.size());
    if (!wrapped) rows.push_back({std::move(name), type_name(*visit.type), ""});
  }
  void leave() override { open.pop_back(); }
  void parameter(const Path& path, Parameter& p) override {
    count += p.numel();
    bytes += p.numel() * item_size(p.dtype());
    Row& row = add(path, p.value(), "");
    row.count += p.numel();
    owner[p.variable()] = static_cast<std::size_t>(&row - rows.data());
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

  // The model itself heads the table only where it has parameters of its own or is all there is.
  std::vector<Row> shown() const {
    std::vector<Row> list = rows;
    if (list.size() > 1 && list[0].shapes.empty()) list.erase(list.begin());
    for (Row& row : list)
      if (row.name.empty()) row.name = "(model)";
    return list;
  }

  std::vector<Row> rows;
  std::vector<std::size_t> open;
  std::unordered_map<const engine::Variable*, std::size_t> owner;  // the row whose own a parameter is
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

using Cells = std::vector<std::string>;

// A table whose columns are as wide as they need to be; those named by `right` end, and do not begin, in one line.
std::string table_of(const std::vector<Cells>& lines, const std::vector<bool>& right) {
  std::vector<std::size_t> width(right.size());
  for (const Cells& cells : lines)
    for (std::size_t i = 0; i < cells.size(); ++i) width[i] = std::max(width[i], cells[i].size());
  std::string table;
  for (const Cells& cells : lines) {
    std::string text;
    for (std::size_t i = 0; i < cells.size(); ++i)
      text += right[i] ? fmt::format("{:>{}}  ", cells[i], width[i]) : fmt::format("{:<{}}  ", cells[i], width[i]);
    text.resize(text.find_last_not_of(' ') + 1);
    table += text + '\n';
    if (&cells != lines.data()) continue;
    std::size_t all = 2 * (width.size() - 1);
    for (const std::size_t w : width) all += w;
    table.append(all, '-') += '\n';
  }
  return table;
}

// ---- what the record of a call says

// Is it made of parameters alone, as a transpose, or a normalised weight?
bool only_parameters(const RecordedOp& op, const std::unordered_map<const void*, bool>& known) {
  for (const RecordedOp::Input& x : op.inputs) {
    const auto found = known.find(x.id);
    if (x.variable || (found != known.end() && found->second) || x.is_number) continue;
    return false;
  }
  return !op.inputs.empty();
}

bool on_one_line(const RecordedOp& a, const RecordedOp& b) {
  return a.source.file == b.source.file && a.source.line == b.source.line;
}

// Whose parameters led to each op, within one line of the user's.
class MadeBy {
 public:
  // `of`: whose it reads; `last`: what was made of each row's parameters last.
  const std::vector<std::size_t>& add(const RecordedOp& op, std::vector<std::size_t> of,
                                      const std::vector<const RecordedOp*>& last) {
    if (of.empty())
      for (const RecordedOp::Input& x : op.inputs)
        for (const std::size_t row : rows(x.id))
          if (on_one_line(op, *last[row]) && std::find(of.begin(), of.end(), row) == of.end()) of.push_back(row);
    return rows_[op.id] = std::move(of);
  }
  bool all_of(const RecordedOp& op, std::size_t row) const {
    return std::all_of(op.inputs.begin(), op.inputs.end(), [&](const RecordedOp::Input& x) {
      const std::vector<std::size_t>& of = rows(x.id);
      return std::find(of.begin(), of.end(), row) != of.end();
    });
  }

 private:
  const std::vector<std::size_t>& rows(const void* id) const {
    static const std::vector<std::size_t> none;
    const auto found = rows_.find(id);
    return found == rows_.end() ? none : found->second;
  }
  std::unordered_map<const void*, std::vector<std::size_t>> rows_;
};

// All that led to the outputs, each op once.
std::vector<RecordedOp> record_of(const Tensors& outputs, Source source) {
  std::vector<RecordedOp> ops;
  std::unordered_set<const void*> known;
  for (const Tensor& y : outputs)
    if (y.requires_grad())
      for (RecordedOp& op : recorded(y, "summary", source))
        if (known.insert(op.id).second) ops.push_back(std::move(op));
  return ops;
}

// The output of a layer that notes none is what was made of its parameters last, or such steps joined; products are those of the
// layer whose parameters they read.
Size read_record(Rows& walked, const std::vector<RecordedOp>& ops) {
  std::unordered_map<const void*, bool> parameters_alone;
  std::unordered_map<const void*, std::vector<std::size_t>>
      read_by;  // of what is made of parameters alone: whose they are
  std::vector<const RecordedOp*> last(walked.rows.size());
  MadeBy made_by;
  Size all = 0;
  for (const RecordedOp& op : ops) {
    std::vector<std::size_t> of;
    for (const RecordedOp::Input& x : op.inputs) {
      if (x.variable)
        if (const auto found = walked.owner.find(x.variable); found != walked.owner.end()) of.push_back(found->second);
      if (const auto found = read_by.find(x.id); found != read_by.end())
        of.insert(of.end(), found->second.begin(), found->second.end());
    }
    if (only_parameters(op, parameters_alone)) {
      parameters_alone[op.id] = true;
      read_by[op.id] = of;
      continue;
    }
    all += op.multiply_adds;
    for (const std::size_t row : of) last[row] = &op;
    if (!of.empty()) walked.rows[of.front()].multiply_adds += op.multiply_adds;
    for (const std::size_t row : made_by.add(op, of, last))  // the steps of a recurrent layer
      if (op.joins && made_by.all_of(op, row)) last[row] = &op;
    // a product of matrices for an input of more axes: it gets them back at once
    if (op.adds_axes)
      for (const RecordedOp*& at : last)
        if (at && at->id == op.inputs[0].id && on_one_line(op, *at)) at = &op;
  }
  for (std::size_t row = 0; row < last.size(); ++row)
    if (last[row]) walked.rows[row].output = fmt::format("{}", last[row]->shape);
  return all;
}

// While one lives, what was frozen is not, so that the record shows who reads it.
class Unfrozen {
 public:
  Unfrozen(const Parameters& all, Source source) : source_(source) {
    for (const Parameters::Entry& p : all)
      if (!p.value().requires_grad()) frozen_.add(p);
    try {
      freeze(frozen_, false, source_);
    } catch (...) {
      again();
      throw;
    }
  }
  ~Unfrozen() { again(); }
  Unfrozen(const Unfrozen&) = delete;
  Unfrozen& operator=(const Unfrozen&) = delete;

 private:
  void again() noexcept {
    for (const Parameters::Entry& p : frozen_) try {
        p.requires_grad(false, source_);
      } catch (const Error&) {  // there is no memory for it, as there was before
      }
  }
  Parameters frozen_;
  Source source_;
};

}  // namespace

std::string summary(AnyModel model) try {
  Rows walked;
  model.walk(walked);
  std::vector<Cells> lines{{"layer", "type", "parameters", "count"}};
  for (const Row& row : walked.shown())
    lines.push_back({row.name, row.type, row.shapes, row.shapes.empty() ? "" : grouped(row.count)});
  return table_of(lines, {false, false, false, true}) +
         fmt::format("{} parameters, {}", grouped(walked.count), sized(walked.bytes));
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "summary");
}

std::string summary_of(MutableModel model, const Callable<Tensors()>& call, Source source) try {
  Rows walked;
  model.walk(walked);
  const EnableGrad recorded;
  const Unfrozen all(parameters(model), source);
  const Mode evaluating(model, false);
  const Notes made;
  const Tensors outputs = call();
  std::string shapes;
  for (const Tensor& y : outputs) {
    if (!y.defined()) fail(source.named("summary"), "the model gave an empty tensor; return its outputs");
    shapes += fmt::format("{}{}", shapes.empty() ? "" : ", ", y.shape());
  }
  const Size products = read_record(walked, record_of(outputs, source));
  for (const auto& [variable, shape] : made.shapes)
    if (const auto found = walked.owner.find(variable); found != walked.owner.end())
      walked.rows[found->second].output = fmt::format("{}", shape);
  std::vector<Cells> lines{{"layer", "type", "output", "parameters", "multiply-adds"}};
  for (const Row& row : walked.shown())
    lines.push_back({row.name, row.type, row.output, row.shapes.empty() ? "" : grouped(row.count),
                     row.multiply_adds ? grouped(row.multiply_adds) : ""});
  return table_of(lines, {false, false, false, true, true}) +
         fmt::format("{} parameters, {}", grouped(walked.count), sized(walked.bytes)) +
         (shapes.empty() ? "" : fmt::format("; output {}, {} multiply-adds", shapes, grouped(products)));
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "summary");
}

}  // namespace xgrad::nn
