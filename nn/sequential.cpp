#include <xgrad/nn/sequential.hpp>

#include <cxxabi.h>
#include <fmt/format.h>

#include <cstdlib>
#include <memory>
#include <typeinfo>
#include <vector>

#include <xgrad/autodiff/memory.hpp>
#include <xgrad/autodiff/scope.hpp>

namespace xgrad::nn {
namespace {

// An assignment has no line of its own to name; that of the making of the first parameter is the user's.
Source made_at(const Layer& layer) {
  struct First final : Walker {
    void parameter(const Path&, Parameter& p) override {
      if (!at.file) at = xgrad::made_at(p.value());
    }
    Source at;
  } first;
  const_cast<Layer&>(layer).walk(Path{}, first);
  return first.at;
}
Source made_at(const std::vector<Layer>& layers) {
  for (const Layer& layer : layers)
    if (const Source at = made_at(layer); at.file) return at;
  return {};
}

}  // namespace

Layer& Layer::operator=(const Layer& other) try {
  if (!held_) {
    held_ = other.held().clone();
  } else if (this != &other) {
    if (type() != other.type())
      fail(made_at(*this).named("Sequential"),
           "expected a layer of the same type to assign from, {}, got {}; move a new model "
           "in instead",
           type_name(type()), type_name(other.type()));
    held_->assign(other.held());
  }
  return *this;
} catch (const std::bad_alloc&) {
  fail_no_memory(made_at(*this), "Sequential");
}

Sequential::Sequential(std::vector<Layer> layers) : layers_(std::move(layers)) {}
Sequential::Sequential(const Sequential& other) try : layers_(other.layers_), moved_from_(other.moved_from_) {
} catch (const std::bad_alloc&) {
  fail_no_memory(made_at(other.layers_), "Sequential");
}
Sequential::Sequential(Sequential&& other) noexcept { *this = std::move(other); }
Sequential::~Sequential() = default;

Sequential& Sequential::operator=(Sequential&& other) noexcept {
  if (this == &other) return *this;
  layers_ = std::move(other.layers_);
  moved_from_ = std::exchange(other.moved_from_, true);
  return *this;
}

Sequential& Sequential::operator=(const Sequential& other) try {
  if (layers_.empty()) {
    layers_ = std::vector<Layer>(other.layers_);
    moved_from_ = other.moved_from_;
    return *this;
  }
  if (size() != other.size())
    fail(made_at(layers_).named("Sequential"), "expected {} layers to assign from, got {}; move a new model in instead",
         size(), other.size());
  for (std::size_t i = 0; i < size(); ++i)
    if (layers_[i].type() != other.layers_[i].type())
      fail(made_at(layers_).named("Sequential"),
           "expected a layer {} of the same type to assign from, {}, got {}; move a new "
           "model in instead",
           i, type_name(layers_[i].type()), type_name(other.layers_[i].type()));
  for (std::size_t i = 0; i < size(); ++i) layers_[i] = other.layers_[i];
  return *this;
} catch (const std::bad_alloc&) {
  fail_no_memory(made_at(layers_), "Sequential");
}

namespace {

// Which layer it was, behind what was wrong there. What is told apart by its type stays what it is.
[[noreturn]] void fail_in(std::size_t i, const Layer& layer, const Error& error) {
  std::string text;
  try {
    text = fmt::format("{}, in layer {} ({}) of a Sequential", error.what(), i, type_name(layer.type()));
  } catch (const std::exception&) {  // the layer was moved from, or there is no memory for this
    throw error;
  }
  throw Error(text);
}

}  // namespace

Tensor Sequential::operator()(In x) const {
  const Source source = line_of(x);
  if (moved_from_) fail(source.named("Sequential"), "this model was moved from; use the one it was moved to");
  Tensor y = x;
  for (std::size_t i = 0; i < layers_.size(); ++i) try {
      y = layers_[i](In(y, source));
    } catch (const Error& error) {
      if (typeid(error) != typeid(Error)) throw;
      fail_in(i, layers_[i], error);
    }
  return y;
}

void Sequential::push_back(Layer layer) try {
  layers_.push_back(std::move(layer));
  moved_from_ = false;
} catch (const std::bad_alloc&) {
  fail_no_memory({}, "Sequential");
}

void Sequential::xgrad_walk(const Path& path, Walker& to) {
  Size i = 0;
  for (Layer& layer : layers_) layer.walk(Path{&path, {}, i++}, to);
}

Layer& Sequential::checked(Size i, Source source) {
  const auto n = static_cast<Size>(size());
  if (i < -n || i >= n) fail(source.named("Sequential"), "expected a layer's number, {} ... {}, got {}", -n, n - 1, i);
  return layers_[static_cast<std::size_t>(i < 0 ? i + n : i)];
}

void Sequential::fail_type(Size i, const std::type_info& asked, Source source) const {
  fail(source.named("Sequential"), "layer {} is a {}, not a {}", i, type_name((*this)[At(i, source)].type()),
       type_name(asked));
}

namespace {

// "main()::Net", "xgrad::nn::WeightNorm<xgrad::nn::Linear>", "void f<int>() const::Net": what stands before each :: goes.
std::string without_namespaces(const std::string& type) {
  struct Open {
    std::size_t all, name;  // where it begins, with what qualifies it, and its name
  };
  std::string made;
  std::vector<Open> open{{0, 0}};  // within each < that is not closed
  int parentheses = 0;
  bool of_function = false;  // is the scope a function, whose type stands before its name?
  for (std::size_t i = 0; i < type.size(); ++i) {
    const char c = type[i];
    parentheses += (c == '(') - (c == ')');
    if (parentheses == 0 && type.compare(i, 2, "::") == 0) {
      made.resize(of_function ? open.back().all : open.back().name);
      open.back().name = made.size();
      of_function = false;
      ++i;
      continue;
    }
    if (parentheses == 0 && c == '>' && open.size() > 1) open.pop_back();
    made += c;
    if (parentheses != 0) continue;
    of_function |= c == ')';
    if (c == '<') open.push_back({made.size(), made.size()}), of_function = false;
    if (c == ',' || (c == ' ' && made.size() == open.back().all + 1)) open.back() = {made.size(), made.size()};
    else if (c == ' ' && !of_function) open.back().name = made.size();
  }
  return made;
}

}  // namespace

std::string type_name(const std::type_info& type) {
  int status = 0;
  struct Free {
    void operator()(char* text) const { std::free(text); }
  };
  const std::unique_ptr<char, Free> demangled(abi::__cxa_demangle(type.name(), nullptr, nullptr, &status));
  std::string name = status == 0 ? demangled.get() : type.name();
  for (const char* lambda : {"{lambda", "'lambda", "$_"})  // GCC's, and Clang's two
    if (name.find(lambda) != std::string::npos) return "function";
  name = without_namespaces(name);
  return name.back() == ')' || name.find("(*)") != std::string::npos ? "function" : name;
}

}  // namespace xgrad::nn
