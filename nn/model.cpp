#include <xgrad/nn/model.hpp>

#include <fmt/core.h>

#include <string_view>
#include <unordered_map>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/scope.hpp>

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

void initialise(MutableModel model, const Callable<void(const std::string&, Parameter&)>& f) {
  struct Initialise final : Walker {
    explicit Initialise(const Callable<void(const std::string&, Parameter&)>& function) : f(function) {}
    void parameter(const Path& path, Parameter& p) override { f(path.dotted(), p); }
    const Callable<void(const std::string&, Parameter&)>& f;
  } to(f);
  model.walk(to);
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

// "a, b, c and 4 more"
std::string some_of(const std::vector<std::string_view>& names) {
  constexpr std::size_t shown = 5;
  std::string text;
  for (std::size_t i = 0; i < names.size() && i < shown; ++i) text += fmt::format("{}{}", i ? ", " : "", names[i]);
  return names.size() > shown ? fmt::format("{} and {} more", text, names.size() - shown) : text;
}

void load_from(const char* op, const std::string& origin, MutableModel model, const NamedTensors& state,
               LoadOptions options, Source source) try {
  const Located at(source);
  std::unordered_map<std::string_view, const Tensor*> given;
  for (const NamedTensor& entry : state)
    if (!given.emplace(entry.name, &entry.value).second)
      fail(source, fmt::format("[{}] {}the name {} appears twice", op, origin, entry.name));

  Targets targets;
  model.walk(targets);
  std::vector<Tensor> values;  // of targets.list, empty where the state has none
  std::vector<std::string_view> missing;
  for (const Target& target : targets.list) {
    const auto found = given.find(target.name);
    if (found == given.end()) {
      missing.push_back(target.name);
      values.emplace_back();
      continue;
    }
    const Tensor &value = *found->second, &held = target.value();
    if (value.shape(source) != held.shape() || value.dtype() != held.dtype())
      fail(source,
           fmt::format("[{}] {}expected {} {} for {}, got {} {}; build the model as it was saved, or cast", op, origin,
                       name(held.dtype()), held.shape(), target.name, name(value.dtype()), value.shape()));
    values.push_back(evaluate(value.detach()));
    given.erase(found);
  }
  if (options.strict && !(missing.empty() && given.empty())) {
    std::vector<std::string_view> left;
    for (const NamedTensor& entry : state)
      if (given.count(entry.name)) left.push_back(entry.name);
    fail(source,
         fmt::format("[{}] {}the names differ: missing {}; not in the model {}; load with {{.strict = false}} to "
                     "take what fits",
                     op, origin, missing.empty() ? "none" : some_of(missing), left.empty() ? "none" : some_of(left)));
  }

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

void load_state_dict(MutableModel model, const NamedTensors& state, LoadOptions options, Source source) {
  load_from("load_state_dict", "", model, state, options, source);
}

void save(AnyModel model, const std::string& path, Source source) try {
  const NamedTensors state = state_dict(model);
  if (state.empty())
    fail(source, fmt::format("[save] {}: the model holds no tensors; it was moved from, or names no fields", path));
  write_safetensors(path, state, {{"format", "pt"}}, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "save");
}

void load(MutableModel model, const std::string& path, LoadOptions options, Source source) try {
  load_from("load", path + ": ", model, read_safetensors(path, source).tensors, options, source);
} catch (const std::bad_alloc&) {
  fail_no_memory(source, "load");
}

}  // namespace xgrad::nn
