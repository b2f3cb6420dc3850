#include <xgrad/nn/model.hpp>

#include <fmt/format.h>

#include <string_view>
#include <unordered_map>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/ops.hpp>
#include <xgrad/autodiff/scope.hpp>
#include <xgrad/nn/sequential.hpp>
#include "nn/names.hpp"

namespace xgrad::nn {

Parameters parameters(MutableModel model) try {
  struct Collect final : Walker {
    void parameter(const Path& path, Parameter& p) override { found.add(path.dotted(), p); }
    Parameters found;
  } to;
  model.walk(to);
  return std::move(to.found);
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "parameters");
}

void zero_grad(MutableModel model) {
  struct Zero final : Walker {
    void parameter(const Path&, Parameter& p) override { p.zero_grad(); }
  } to;
  model.walk(to);
}

Size parameter_count(AnyModel model) {
  struct Count final : Walker {
    void parameter(const Path&, Parameter& p) override { n += p.numel(); }
    Size n = 0;
  } to;
  model.walk(to);
  return to.n;
}

void train(MutableModel model, bool mode) {
  struct Mode final : Walker {
    explicit Mode(bool m) : mode(m) {}
    void enter(const Path&, const Visit& visit) override {
      if (visit.training) *visit.training = mode;
    }
    bool mode;
  } to(mode);
  model.walk(to);
}
void eval(MutableModel model) { train(model, false); }

Mode::Mode(MutableModel model, bool training) : model_(model) {
  struct Set final : Walker {
    void enter(const Path&, const Visit& visit) override {
      if (!visit.training) return;
      own->push_back({visit.type, *visit.training});
      *visit.training = training;
    }
    std::vector<Own>* own;
    bool training;
  } to;
  to.own = &own_;
  to.training = training;
  model_.walk(to);
}

// A layer that has taken another's place since keeps the mode that it has.
Mode::~Mode() {
  struct Restore final : Walker {
    void enter(const Path&, const Visit& visit) override {
      if (!visit.training || at == end) return;
      if (*at->layer == *visit.type) *visit.training = at->training;
      ++at;
    }
    const Own *at, *end;
  } to;
  to.at = own_.data();
  to.end = to.at + own_.size();
  model_.walk(to);
}

std::string other_mode(AnyModel model, bool training) {
  struct Find final : Walker {
    void enter(const Path& path, const Visit& visit) override {
      if (found.empty() && visit.training && *visit.training != wanted)
        found = path.dotted() + " (" + type_name(*visit.type) + ")";
    }
    std::string found;
    bool wanted;
  } to;
  to.wanted = training;
  model.walk(to);
  return std::move(to.found);
}

void freeze(MutableModel model, bool frozen, Source source) { xgrad::freeze(parameters(model), frozen, source); }

void cast_model(MutableModel model, DType dtype, Source source) try {
  if (!is_float(dtype)) fail(source.named("cast"), "expected the dtype f32 or f64 for a model, got {}", name(dtype));
  struct Make final : Walker {
    void parameter(const Path&, Parameter& p) override {
      if (p.dtype() == dtype) return;
      Parameter made(xgrad::cast(p.detach(), dtype), source);
      if (!p.requires_grad()) made.requires_grad(false, source);
      parameters.push_back({&p, std::move(made)});
    }
    void buffer(const Path&, Tensor& t) override {
      if (is_float(t.dtype()) && t.dtype() != dtype) buffers.push_back({&t, evaluate(xgrad::cast(t.detach(), dtype))});
    }
    std::vector<std::pair<Parameter*, Parameter>> parameters;
    std::vector<std::pair<Tensor*, Tensor>> buffers;
    DType dtype;
    Source source;
  } to;
  to.dtype = dtype;
  to.source = source;
  const Located at(source, "cast");
  model.walk(to);
  for (auto& [p, made] : to.parameters) *p = std::move(made);
  for (auto& [t, made] : to.buffers) *t = std::move(made);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "cast");
}

void initialise(MutableModel model, const Callable<void(const std::string&, Parameter&)>& f) {
  struct Initialise final : Walker {
    explicit Initialise(const Callable<void(const std::string&, Parameter&)>& function) : f(function) {}
    void parameter(const Path& path, Parameter& p) override { f(path.dotted(), p); }
    const Callable<void(const std::string&, Parameter&)>& f;
  } to(f);
  model.walk(to);
}

std::string some_of(const std::vector<std::string>& names) {
  constexpr std::size_t shown = 5;
  if (names.empty()) return "none";
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown; ++i) text += fmt::format("{}{}", i ? ", " : "", names[i]);
  return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

namespace {

struct State final : Walker {
  explicit State(bool with_parameters) : parameters(with_parameters) {}
  void parameter(const Path& path, Parameter& p) override {
    if (parameters) values.push_back({path.dotted(), p.detach()});
  }
  void buffer(const Path& path, Tensor& t) override { values.push_back({path.dotted(), t.detach()}); }
  bool parameters;
  NamedTensors values;
};

// A place in the model that a value of the state goes to.
struct Target {
  std::string name;
  Parameter* parameter;  // or
  Tensor* buffer;
  const Tensor& value() const { return parameter ? parameter->value() : *buffer; }
};

struct Targets final : Walker {
  void parameter(const Path& path, Parameter& p) override { list.push_back({path.dotted(), &p, nullptr}); }
  void buffer(const Path& path, Tensor& t) override { list.push_back({path.dotted(), nullptr, &t}); }
  std::vector<Target> list;
};

// Every f32 is an f64, too.
bool fits(DType from, DType to) { return from == to || (from == f32 && to == f64); }

LoadReport load_from(const char* op, const std::string& origin, MutableModel model, const Safetensors& state,
                     LoadOptions options, Source source) try {
  const Located at(source, op);
  std::unordered_map<std::string_view, const Tensor*> given;
  for (const NamedTensor& entry : state.tensors)
    if (!given.emplace(entry.name, &entry.value).second)
      fail(source.named(op), "{}the name {} appears twice", origin, entry.name);
  std::unordered_map<std::string_view, const std::string*> unread;  // their dtypes
  for (const Safetensors::Unread& entry : state.unread) unread.emplace(entry.name, &entry.dtype);

  Targets targets;
  model.walk(targets);
  std::vector<Tensor> values(targets.list.size());  // empty where the state has none that fits
  LoadReport report;
  for (std::size_t i = 0; i < values.size(); ++i) {
    const Target& target = targets.list[i];
    const Tensor& held = target.value();
    if (const auto found = unread.find(target.name); found != unread.end()) {
      if (options.strict)
        fail(source.named(op), "{}{} has the dtype {}, which no Tensor holds; convert it before it is saved", origin,
             target.name, *found->second);
      report.misshapen.push_back(target.name);
      unread.erase(found);
      continue;
    }
    const auto found = given.find(target.name);
    if (found == given.end()) {
      report.missing.push_back(target.name);
      continue;
    }
    const Tensor& value = *found->second;
    if (value.shape(source) == held.shape() && fits(value.dtype(), held.dtype())) {
      values[i] = evaluate(cast(value.detach(), held.dtype()));
    } else {
      if (options.strict)
        fail(source.named(op), "{}expected {} {} for {}, got {} {}; build the model as it was saved, or cast", origin,
             name(held.dtype()), held.shape(), target.name, name(value.dtype()), value.shape());
      report.misshapen.push_back(target.name);
    }
    given.erase(found);
  }
  for (const NamedTensor& entry : state.tensors)
    if (given.count(entry.name)) report.left_over.push_back(entry.name);
  for (const Safetensors::Unread& entry : state.unread)
    if (unread.count(entry.name)) report.left_over.push_back(entry.name);
  if (options.strict && !report.complete())
    fail(source.named(op), "{}the names differ: {}{}{}; load with {{.strict = false}} to take what fits", origin,
         report.missing.empty() ? "" : "missing " + some_of(report.missing),
         report.missing.empty() || report.left_over.empty() ? "" : "; ",
         report.left_over.empty() ? "" : "not in the model " + some_of(report.left_over));

  Parameters variables;  // all of them get their values, or none
  std::vector<Tensor> of_variables;
  for (std::size_t i = 0; i < values.size(); ++i)
    if (const Target& target = targets.list[i]; target.parameter && values[i].defined()) {
      variables.add(target.name, *target.parameter, source);
      of_variables.push_back(values[i]);
    }
  assign_all(variables, of_variables, source);
  for (std::size_t i = 0; i < values.size(); ++i)
    if (const Target& target = targets.list[i]; target.buffer && values[i].defined()) *target.buffer = values[i];
  return report;
} catch (const std::bad_alloc&) {
  fail_no_memory(source, op);
}

}  // namespace

NamedTensors buffers(AnyModel model) try {
  State to(false);
  model.walk(to);
  return std::move(to.values);
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "buffers");
}

NamedTensors state_dict(AnyModel model) try {
  State to(true);
  model.walk(to);
  return std::move(to.values);
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "state_dict");
}

LoadReport load_state_dict(MutableModel model, const NamedTensors& state, LoadOptions options, Source source) {
  return load_from("load_state_dict", "", model, {.tensors = state, .metadata = {}, .unread = {}}, options, source);
}

std::string to_string(const LoadReport& report) {
  if (report.complete()) return "nothing was passed over";
  return fmt::format("missing {}; left over {}; misshapen {}", some_of(report.missing), some_of(report.left_over),
                     some_of(report.misshapen));
}

void save(AnyModel model, const std::string& path, Source source) try {
  const NamedTensors state = state_dict(model);
  if (state.empty())
    fail(source.named("save"), "{}: the model holds no tensors; it was moved from, or names no fields", path);
  write_safetensors(path, state, {{"format", "pt"}}, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "save");
}

LoadReport load(MutableModel model, const std::string& path, LoadOptions options, Source source) try {
  return load_from("load", path + ": ", model, read_safetensors(path, source), options, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "load");
}

}  // namespace xgrad::nn

fmt::appender fmt::formatter<xgrad::nn::LoadReport>::format(const xgrad::nn::LoadReport& report,
                                                            fmt::format_context& context) const {
  return fmt::format_to(context.out(), "{}", xgrad::nn::to_string(report));
}
