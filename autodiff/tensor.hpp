// Tensor: a value. Shape and dtype are known at run time; the handle is one pointer; the numbers never change.
// Bodies: api/tensor.cpp; operator[]: ops/slices.cpp; backward: api/differentiate.cpp; to_string: api/print.cpp.
#pragma once

#include <fmt/core.h>

#include <array>
#include <cstdint>
#include <initializer_list>
#include <new>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xgrad/autodiff/dtype.hpp>
#include <xgrad/autodiff/error.hpp>
#include <xgrad/autodiff/shape.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

class Parameter;
class In;

namespace engine {

struct ThreadState;
struct Node;

// What a handle needs to know of a node. Counts are biased: the thread that recorded a node counts its handles without
// atomics, the others share an atomic counter (Choi, Shull, Torrellas 2018, "Biased reference counting").
// Threads share the last two, so whoever looks at them does it by Node::shared() and Node::owner(), which are atomic;
// here, where every handle is counted, a builtin stands for std::atomic: <atomic> costs programs too much to compile.
struct NodeHead {
  std::uint32_t refs;         // handles counted by the owner
  std::int32_t shared_count;  // 2 x handles counted by others, + 1 once the owner holds none
  ThreadState* owner_thread;
};

#if defined(__GNUC__)
[[gnu::tls_model("initial-exec")]]
#endif
extern constinit thread_local ThreadState* this_thread;

void retain_shared(NodeHead* node) noexcept;
void release_shared(NodeHead* node) noexcept;
void release_last(NodeHead* node) noexcept;

inline bool counted_here(const NodeHead* node) noexcept {
  return __atomic_load_n(&node->owner_thread, __ATOMIC_RELAXED) == this_thread;
}
inline void retain(NodeHead* node) noexcept {
  if (counted_here(node)) ++node->refs;
  else retain_shared(node);
}
inline void release(NodeHead* node) noexcept {
  if (!counted_here(node)) release_shared(node);
  else if (--node->refs == 0) release_last(node);
}

}  // namespace engine

struct BackwardOptions {
  bool keep_graph = false;    // keep the record, so that backward() may be called again
  bool create_graph = false;  // record the gradients too, so that they can be differentiated; keeps the record
};

// A value: cheap to copy, safe to keep; an op on it makes another. May be pending (recorded, not yet computed): that
// shows in nothing but time. A default-constructed Tensor is empty, and every op refuses it.
class Tensor {
 public:
  Tensor() noexcept = default;
  // A number is a 0-d tensor that takes the dtype of what it meets, as the number itself would.
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  Tensor(T number, Source source = Source::here());
  Tensor(const Tensor& other) noexcept : node_(other.node_) {
    if (node_) engine::retain(node_);
  }
  Tensor(Tensor&& other) noexcept : node_(std::exchange(other.node_, nullptr)) {}
  ~Tensor() {
    if (node_) engine::release(node_);
  }
  // &-qualified: `x[0] = y` does not compile, for x[0] is a value.
  Tensor& operator=(const Tensor& other) & noexcept {
    Tensor copy(other);
    std::swap(node_, copy.node_);
    return *this;
  }
  Tensor& operator=(Tensor&& other) & noexcept {
    std::swap(node_, other.node_);
    return *this;
  }

  bool defined() const noexcept { return node_ != nullptr; }  // not empty
  const Shape& shape(Source source = Source::here()) const;
  DType dtype(Source source = Source::here()) const;
  int dim(Source source = Source::here()) const { return shape(source).rank(); }
  Size numel(Source source = Source::here()) const;
  Size size(At axis) const;  // the extent of an axis; -1 is the last

  // The number in a tensor of one element, as a double: an i64 past 2^53 is rounded; to_vector<std::int64_t>() is exact.
  double item(Source source = Source::here()) const;
  // All numbers in row-major order, converted to T: floats to integers truncate; what does not fit, and NaN where T is
  // an integer, is an Error.
  template <class T>
  std::vector<T> to_vector(Source source = Source::here()) const {
    constexpr bool direct = std::is_same_v<T, float> || std::is_same_v<T, double> || std::is_same_v<T, Size>;
    constexpr bool integer = std::is_integral_v<T> && !std::is_same_v<T, bool>;
    using Through = std::conditional_t<integer && sizeof(T) == sizeof(Size), Size, double>;
    std::vector<T> out;
    try {
      out.resize(static_cast<std::size_t>(numel(source)));
    } catch (const std::bad_alloc&) {
      fail_memory("to_vector", source);
    } catch (const std::length_error&) {
      fail_memory("to_vector", source);
    }
    if constexpr (direct) {
      copy_to(out.data(), dtype_of<T>(), source);
    } else {
      const std::vector<Through> numbers = to_vector<Through>(source);
      for (std::size_t i = 0; i < out.size(); ++i) {
        if constexpr (integer) {
          constexpr double least = std::numeric_limits<T>::min(),
                           most = static_cast<double>(std::numeric_limits<T>::max());
          const auto x = static_cast<double>(numbers[i]);
          if (!(sizeof(T) < sizeof(Size) ? x > least - 1 && x < most + 1 : std::is_signed_v<T> || numbers[i] >= 0))
            fail_fit(x, sizeof(T), source);
        }
        out[i] = static_cast<T>(numbers[i]);
      }
    }
    return out;
  }

  // The i-th slice along the first axis (-1 is the last): a view.
  Tensor operator[](At i) const;

  // d(this)/d(parameter) into .grad() of every Parameter that led here, added to what is there. This must hold one
  // element. Evaluates both and lets go of the record, unless told to keep it. Threads may call it at the same time.
  void backward(BackwardOptions options = {}, Source source = Source::here()) const;
  void backward(const Tensor& cotangent, BackwardOptions options = {}, Source source = Source::here()) const;

  bool requires_grad() const noexcept;                  // does a derivative lead through this?
  bool pending() const noexcept;                        // recorded, and not computed yet?
  Tensor detach(Source source = Source::here()) const;  // the same numbers, without a history

  // Compound assignment stores a new value in this handle; other handles keep the old one.
  Tensor& operator+=(const In& y) &;
  Tensor& operator-=(const In& y) &;
  Tensor& operator*=(const In& y) &;
  Tensor& operator/=(const In& y) &;

  // For the engine: the node behind the handle.
  engine::Node* node() const noexcept { return reinterpret_cast<engine::Node*>(node_); }
  static Tensor adopt(engine::Node* node) noexcept {  // takes over one count
    Tensor t;
    t.node_ = reinterpret_cast<engine::NodeHead*>(node);
    return t;
  }

 private:
  static Tensor from_number(const In& number);
  [[noreturn]] void fail_memory(const char* what, Source source) const;
  [[noreturn]] static void fail_fit(double number, std::size_t bytes, Source source);
  void copy_to(void* out, DType dtype, Source source) const;
  engine::NodeHead* node_ = nullptr;
};

// A short list of tensors; up to 3 are held inline, more in memory of the thread's pool. One of two falls into its parts:
// auto [x, y] = batch; as<3>() is for more.
class Tensors {
 public:
  Tensors() noexcept {}
  Tensors(std::initializer_list<Tensor> list) {
    for (const Tensor& t : list) push_back(t);
  }
  Tensors(const std::vector<Tensor>& list) {
    for (const Tensor& t : list) push_back(t);
  }
  Tensors(const Tensors& other) {
    for (const Tensor& t : other) push_back(t);
  }
  Tensors(Tensors&& other) noexcept { swap(other); }
  Tensors& operator=(Tensors other) noexcept {
    swap(other);
    return *this;
  }
  ~Tensors() {
    if (many_) give_back();
  }

  void push_back(Tensor t) {
    if (size_ == capacity_) grow();
    begin()[size_++] = std::move(t);
  }
  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }
  Tensor* begin() { return many_ ? many_ : inline_; }
  Tensor* end() { return begin() + size_; }
  const Tensor* begin() const { return const_cast<Tensors*>(this)->begin(); }
  const Tensor* end() const { return begin() + size_; }
  Tensor& operator[](At i) { return begin()[place(i)]; }  // past the end is an Error
  const Tensor& operator[](At i) const { return begin()[place(i)]; }
  const Tensor& front(Source source = Source::here()) const { return begin()[place({0, source})]; }
  const Tensor& back(Source source = Source::here()) const {
    return begin()[place({size_ == 0 ? Size{0} : static_cast<Size>(size_) - 1, source})];
  }
  template <std::size_t n>
  std::array<Tensor, n> as(Source source = Source::here()) const {  // an Error where there are not n
    require_size(n, source);
    std::array<Tensor, n> list;
    for (std::size_t i = 0; i < n; ++i) list[i] = begin()[i];
    return list;
  }
  template <std::size_t i>
  const Tensor& get(Source source = Source::here()) const {
    require_size(2, source);
    return begin()[i];
  }

 private:
  static constexpr std::size_t inline_capacity = 3;
  void swap(Tensors& other) noexcept {
    for (std::size_t i = 0; i < inline_capacity; ++i) std::swap(inline_[i], other.inline_[i]);
    std::swap(many_, other.many_);
    std::swap(size_, other.size_);
    std::swap(capacity_, other.capacity_);
    std::swap(pool_, other.pool_);
  }
  std::size_t place(At i) const {
    if (static_cast<std::uint64_t>(i.index) >= size_) [[unlikely]]
      fail_place(i);
    return static_cast<std::size_t>(i.index);
  }
  [[noreturn]] void fail_place(At i) const;
  void require_size(std::size_t n, Source source) const;
  void grow();
  void give_back() noexcept;
  Tensor inline_[inline_capacity];
  Tensor* many_ = nullptr;  // all of them, where they are more
  std::size_t size_ = 0, capacity_ = inline_capacity;
  std::uint8_t pool_ = 0;
};

// The operand of an op: a tensor, a parameter or a number, and the line of the user's program that wrote it.
// A reference that lives as long as the call: for function parameters only.
class In {
 public:
  In(const Tensor& t, Source at = Source::here()) noexcept
      : node_(t.node()), source_{at.file, at.line, DType::f64, false, false} {}
  In(Tensor&& t, Source at = Source::here()) noexcept
      : node_(t.node()), source_{at.file, at.line, DType::f64, false, true} {}
  In(const Parameter& p, Source at = Source::here()) noexcept;
  template <class T, class = std::enable_if_t<std::is_arithmetic_v<T>>>
  In(T number, Source at = Source::here()) noexcept : source_{at.file, at.line, dtype_of<T>(), true, false} {
    if constexpr (std::is_integral_v<T>) value_.integer = static_cast<Size>(number);
    else value_.number = static_cast<double>(number);
    if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(Size))
      if (value_.integer < 0) {  // past i64
        value_.number = static_cast<double>(number);
        source_.dtype = DType::f64;
      }
  }

  operator Tensor()
      const;  // a number becomes a 0-d tensor of its C++ type's dtype, that takes the dtype of what it meets
  bool is_number() const noexcept { return source_.is_number; }
  bool is_temporary() const noexcept { return source_.is_temporary; }  // a result that nobody has named
  double number() const noexcept {
    return is_float(source_.dtype) ? value_.number : static_cast<double>(value_.integer);
  }
  Size integer() const noexcept { return is_float(source_.dtype) ? static_cast<Size>(value_.number) : value_.integer; }
  DType number_dtype() const noexcept { return source_.dtype; }
  engine::Node* node() const noexcept { return node_; }  // null where this is a number or empty
  Source source() const noexcept { return {source_.file, source_.line}; }

 private:
  engine::Node* node_ = nullptr;
  union {
    double number;
    Size integer;
  } value_ = {0};
  struct {
    const char* file;
    int line;
    DType dtype;
    bool is_number, is_temporary;
  } source_;
};

template <class T, class>
Tensor::Tensor(T number, Source source) : Tensor(from_number(In(number, source))) {}

// The dtype of makers from a shape (zeros, randn, layers), and of integers that become floats: f32, or what the program
// sets, at its top: set_default_dtype(f64). Of all threads.
DType default_dtype() noexcept;
void set_default_dtype(DType dtype, Source source = Source::here());

std::string to_string(const Tensor& t);  // the numbers, as NumPy prints them
// With so many significant digits; of style 'f', after the point; 'e', with an exponent.
std::string to_string(const Tensor& t, int precision, char style = 'g');
inline const char* to_string(DType t) { return name(t); }

// Into streams, as fmt prints them.
template <class T, class... Of>
using IfOneOf = std::enable_if_t<(std::is_same_v<T, Of> || ...)>;  // itself, and not what converts to it, as numbers do
template <class Stream, class T, class = IfOneOf<T, Tensor, Parameter, Shape, DType>>
auto operator<<(Stream& stream, const T& t) -> decltype(stream << to_string(t)) {
  return stream << to_string(t);
}

}  // namespace xgrad

template <>
struct std::tuple_size<xgrad::Tensors> : std::integral_constant<std::size_t, 2> {};
template <std::size_t i>
struct std::tuple_element<i, xgrad::Tensors> {
  using type = const xgrad::Tensor;
};

// {} prints a tensor with 6 significant digits, {:.3} with 3, {:.4f} with 4 after the point; {:.2e} has an exponent.
template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::Tensor> {
  int precision = 6;
  char style = 'g';
  constexpr auto parse(fmt::format_parse_context & context) {
    auto at = context.begin();
    if (at != context.end() && *at == '.') {
      precision = 0;
      for (++at; at != context.end() && *at >= '0' && *at <= '9'; ++at) precision = 10 * precision + (*at - '0');
    }
    if (at != context.end() && (*at == 'f' || *at == 'e' || *at == 'g')) style = *at++;
    if (at != context.end() && *at != '}') refuse("a tensor is printed by {}, {:.3}, {:.4f} or {:.2e}");
    return at;
  }
  fmt::appender format(const xgrad::Tensor& t, fmt::format_context& context) const;
  [[noreturn]] static void refuse(const char* why);  // a fmt::format_error; a compiler that reads the format stops here
};
template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::DType> : fmt::formatter<fmt::string_view> {
  fmt::appender format(xgrad::DType t, fmt::format_context & context) const;
};
template <>
struct [[gnu::visibility("default")]] fmt::formatter<xgrad::Shape> {
  constexpr auto parse(fmt::format_parse_context & context) { return context.begin(); }
  fmt::appender format(const xgrad::Shape& s, fmt::format_context& context) const;
};

#pragma GCC visibility pop
