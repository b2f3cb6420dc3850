// XGRAD_FIELDS: the one line that makes a struct a layer, and the walk over models that it allows.
#pragma once

#include <array>
#include <concepts>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <typeinfo>
#include <utility>
#include <vector>

#include <xgrad/autodiff/parameter.hpp>
#include <xgrad/autodiff/scope.hpp>

#pragma GCC visibility push(default)  // what the library exports

// Names a struct's parameters, buffers (plain Tensors) and sub-layers; vectors, arrays, optionals, unique_ptrs and maps (by
// a name) of them too. Any number of fields, none included. A derived struct writes its own line, with the inherited fields
// in it. What an optional or a pointer holds has the field's name, what a map holds "field.key".
// xgrad_fields() gives a function that calls another with them all: std::tie would cost a compiler sixty times as much.
#define XGRAD_FIELDS(...)                                              \
  auto xgrad_fields() {                                                \
    return [&](const auto& xgrad_visit) { xgrad_visit(__VA_ARGS__); }; \
  }                                                                    \
  static const char* xgrad_field_names() { return "" #__VA_ARGS__; }   \
  void xgrad_fields_line() const {}

namespace xgrad::nn {

// Where a walk is: the fields that led there, innermost first. Lives on the stack; names are put together on demand.
struct Path {
  const Path* parent = nullptr;
  std::string_view field;  // or
  Size index = -1;         // in a vector, an array, a Sequential

  std::string dotted() const;  // PyTorch's name: "layers.0.weight"
};

// A layer that a walk enters.
struct Visit {
  void* layer;  // null where it is wrapped: nn::apply passes it over
  const std::type_info* type;
  bool* training;  // the layer's `bool training`; null where it has none
};

// What a walk calls, in the order of the fields. Empty parameters and buffers are skipped.
class Walker {
 public:
  virtual void parameter(const Path&, Parameter&) {}
  virtual void buffer(const Path&, Tensor&) {}
  virtual void enter(const Path&, const Visit&) {}
  virtual void leave() {}

 protected:
  ~Walker() = default;
};

namespace fields {

template <class T>
concept Named = requires(T& t) {
  t.xgrad_fields();
};
template <class T>  // walks itself, as Sequential does
concept Walks = requires(T& t, const Path& path, Walker& to) {
  t.xgrad_walk(path, to);
};
template <class T>  // stands for another layer, as Layer does
concept HandsOn = requires(T& t, const Path& path, Walker& to) {
  t.walk(path, to);
};
template <class T>  // an operand that carries the caller's line, as the layers here do
concept TakesIn = requires {
  static_cast<Tensor (T::*)(In) const>(&T::operator());
};
template <class T>
concept HasMode = requires(T& t) {
  { t.training } -> std::same_as<bool&>;
};

template <class T>
struct Elements : std::false_type {};
template <class T, class A>
struct Elements<std::vector<T, A>> : std::true_type {};
template <class T, std::size_t n>
struct Elements<std::array<T, n>> : std::true_type {};
template <class T, std::size_t n>
struct Elements<T[n]> : std::true_type {};
template <class T>
struct Optional : std::false_type {};
template <class T>
struct Optional<std::optional<T>> : std::true_type {};

// A pointer that owns what it points to, as std::unique_ptr; and a map in the order of its names, as std::map<std::string, L>.
// By what they can do: <memory> and <map> would cost every program.
template <class T>
concept Pointer = requires(T& p) {
  typename T::element_type;
  { p.get() } -> std::same_as<typename T::element_type*>;
  { p.release() } -> std::same_as<typename T::element_type*>;
};
template <class T>
concept Map = requires(T& m) {
  typename T::key_compare;
  typename T::mapped_type;
  requires std::is_convertible_v<const typename T::key_type&, std::string_view>;
  m.begin()->second;
};
// A walk sees the fields of the type that it is given: where that is a base class, it must walk what is there.
template <class T>
constexpr bool is_whole = !std::is_polymorphic_v<T> || std::is_final_v<T> || Walks<T> || HandsOn<T>;

template <class Owner>
Owner owner(void (Owner::*)() const);
// The struct whose body holds the XGRAD_FIELDS line that T shows: T itself, or a base.
template <class T>
using LineOf = decltype(owner(&T::xgrad_fields_line));

// A derived struct that adds no data may go without a line of its own; one that adds data may not.
template <class T>
constexpr bool has_own_line() {
  if constexpr (std::is_same_v<LineOf<T>, T>) return true;
  else return sizeof(LineOf<T>) == sizeof(T);
}

// Has no parameters, surely: a function, a lambda that captures numbers or references, an empty struct. (Such a lambda is
// trivially copyable, too, but GCC 12 does not see it.)
template <class T>
constexpr bool holds_nothing = std::is_trivially_copy_constructible_v<T>&& std::is_trivially_destructible_v<T>;

// Can a walk see what T holds?
template <class T>
constexpr bool has_line() {
  constexpr bool seen = Named<T> || Walks<T> || HandsOn<T> || holds_nothing<T>;
  static_assert(seen,
                "this part of a model has no public XGRAD_FIELDS line, so its parameters would be missed: "
                "write XGRAD_FIELDS(weight, ...) in the struct, or XGRAD_FIELDS() where it has none; a lambda may "
                "capture numbers and references; what holds several layers may be a std::vector, std::array, "
                "std::optional, std::unique_ptr or a std::map by strings");
  return seen;
}

std::string_view next_name(std::string_view& names);  // takes the first of a stringized list

}  // namespace fields

template <class T>
void walk(T& field, const Path& path, Walker& to) {
  static_assert(!std::is_pointer_v<T> || std::is_function_v<std::remove_pointer_t<T>>,
                "a walk does not follow a plain pointer, whose layer may be somebody else's: hold the layer itself, or "
                "a std::unique_ptr");
  static_assert(!std::is_const_v<T>, "a const field of a model cannot be trained or loaded: drop its const");
  if constexpr (std::is_same_v<T, Parameter>) {
    if (field.defined()) to.parameter(path, field);
  } else if constexpr (std::is_same_v<T, Tensor>) {
    if (field.defined()) to.buffer(path, field);
  } else if constexpr (fields::Elements<T>::value) {
    Size i = 0;
    for (auto& element : field) walk(element, Path{&path, {}, i++}, to);
  } else if constexpr (fields::Optional<T>::value) {
    if (field) walk(*field, path, to);
  } else if constexpr (fields::Pointer<T>) {
    static_assert(fields::is_whole<typename T::element_type>,
                  "a pointer to a base class shows the base's fields alone: give the base a `virtual void walk(const "
                  "nn::Path& path, nn::Walker& to)`, in which each derived struct calls nn::walk of its fields");
    if (field) walk(*field, path, to);
  } else if constexpr (fields::Map<T>) {
    for (auto& [key, element] : field) walk(element, Path{&path, std::string_view(key)}, to);
  } else if constexpr (fields::HandsOn<T>) {
    field.walk(path, to);
  } else {
    static_assert(!std::is_arithmetic_v<T> && !std::is_enum_v<T>,
                  "XGRAD_FIELDS names parameters, buffers and layers: leave numbers and options out of it");
    bool* training = nullptr;
    if constexpr (fields::HasMode<T>) training = &field.training;
    to.enter(path, Visit{&field, &typeid(T), training});
    if constexpr (fields::Walks<T>) {
      field.xgrad_walk(path, to);
    } else if constexpr (fields::Named<T>) {
      static_assert(fields::has_own_line<T>(),
                    "a struct derived from a layer adds fields, but has no XGRAD_FIELDS line of its own: "
                    "write one that names the inherited fields and the new ones");
      std::string_view names = T::xgrad_field_names();
      field.xgrad_fields()([&](auto&... each) { (walk(each, Path{&path, fields::next_name(names)}, to), ...); });
    } else {
      (void)fields::has_line<T>();
    }
    to.leave();
  }
}

// The line that an Error of a layer or a loss names: of the outermost call that is Located, or the operand's own.
using xgrad::line_of;

// x as the input of a layer that computes in the dtype of `weight`: other floats are cast, and their gradient comes back
// in their own dtype. What is no float is an Error that says cast; so is an empty weight. `layer` is its name in Errors.
Tensor input_of(const char* layer, const In& x, const Tensor& weight);

// An option of an op on x that x's dtype cannot hold is an Error: 1e-50 would be 0 in f32 (xgrad::keeps).
void check_option(const In& x, const char* op, const char* option, double value);
void check_option(DType dtype, const char* op, const char* option, double value, Source source);

// Any model by reference, for functions that change nothing in it; and for functions that do. For parameters only.
class AnyModel {
 public:
  template <class M>
  requires(!std::is_base_of_v<AnyModel, M>) AnyModel(const M& model)
      : model_(const_cast<M*>(&model)), walk_([](void* m, Walker& to) { nn::walk(*static_cast<M*>(m), Path{}, to); }) {}
  void walk(Walker& to) const { walk_(model_, to); }

 private:
  void* model_;
  void (*walk_)(void*, Walker&);
};
class MutableModel : public AnyModel {
 public:
  template <class M>
  requires(!std::is_base_of_v<AnyModel, std::remove_cvref_t<M>>) MutableModel(M&& model)
      : AnyModel(std::as_const(model)) {
    static_assert(std::is_lvalue_reference_v<M>, "this needs a model that stays: give it a name");
    static_assert(!std::is_const_v<std::remove_reference_t<M>>,
                  "this needs a model that it may change: this one is const");
  }
};

}  // namespace xgrad::nn

#pragma GCC visibility pop
