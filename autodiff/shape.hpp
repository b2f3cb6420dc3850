// Shape: the extents of a tensor, of any rank.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include <xgrad/autodiff/dtype.hpp>
#include <xgrad/autodiff/error.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad {

[[noreturn]] void fail_too_large(const char* what, std::uint64_t number, Source source);

// A Size from any integer type; a number that does not fit is an Error.
template <class T>
constexpr Size checked_size(T number, const char* what, Source source) {
  if constexpr (std::is_unsigned_v<T> && sizeof(T) >= sizeof(Size))
    if (number > static_cast<T>(std::numeric_limits<Size>::max())) fail_too_large(what, number, source);
  return static_cast<Size>(number);
}

// One extent.
struct Extent {
  Size value;
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  constexpr Extent(T v, Source source = Source::here()) : value(checked_size(v, "shape", source)) {}
};

// An index, an axis or a count, from any integer type, and the line of the user's program that wrote it.
struct At {
  Size index;
  Source source;
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  constexpr At(T i, Source s = Source::here()) : index(checked_size(i, "index", s)), source(s) {}
  constexpr operator Size() const { return index; }
};

// A list of extents (also used for strides and axes). Up to 6 are held inline. One extent is a shape of rank 1: zeros(3).
// A shape of rank 2 falls into its extents: auto [rows, columns] = x.shape(); as<3>() is for others.
class Shape {
 public:
  Shape() noexcept = default;
  // {2, 3}. Not from a std::initializer_list: GCC 12 makes one of {.stride = 2}, too, and takes that for an extent.
  template <class... More, class = std::enable_if_t<(std::is_convertible_v<More, Extent> && ...)>>
  Shape(Extent first, Extent second, More... more) {
    resize(2 + static_cast<int>(sizeof...(more)));
    Size* at = data();
    *at++ = first.value;
    *at++ = second.value;
    ((*at++ = number(more, Source())), ...);  // nobody takes the line of these
  }
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  Shape(const std::vector<T>& extents, Source source = Source::here()) {
    resize(static_cast<int>(extents.size()));
    for (std::size_t i = 0; i < extents.size(); ++i) data()[i] = checked_size(extents[i], "shape", source);
  }
  template <class T, class = std::enable_if_t<std::is_convertible_v<T, Extent>>>
  Shape(T extent, Source source = Source::here()) {
    push_back(number(extent, source));
  }
  Shape(const Shape& other) {
    if (other.capacity_ > inline_capacity) {
      assign(other);
    } else {  // all of it: a copy without a loop
      rank_ = other.rank_;
      __builtin_memcpy(inline_, other.inline_, sizeof inline_);
    }
  }
  Shape(Shape&& other) noexcept { steal(other); }
  Shape& operator=(const Shape& other) {
    if (this != &other) assign(other);
    return *this;
  }
  Shape& operator=(Shape&& other) noexcept {
    if (this != &other) {
      free();
      steal(other);
    }
    return *this;
  }
  ~Shape() { free(); }

  int rank() const { return rank_; }
  std::size_t size() const { return static_cast<std::size_t>(rank_); }
  bool empty() const { return rank_ == 0; }
  Size* data() { return capacity_ <= inline_capacity ? inline_ : heap_; }
  const Size* data() const { return capacity_ <= inline_capacity ? inline_ : heap_; }
  Size* begin() { return data(); }
  Size* end() { return data() + rank_; }
  const Size* begin() const { return data(); }
  const Size* end() const { return data() + rank_; }
  Size& operator[](At i) { return data()[place(i)]; }  // -1 is the last; past the end is an Error
  Size operator[](At i) const { return data()[place(i)]; }
  Size back(Source source = Source::here()) const { return data()[place({-1, source})]; }

  template <std::size_t n>
  std::array<Size, n> as(Source source = Source::here()) const {  // an Error where the rank is not n
    require_rank(n, source);
    std::array<Size, n> list;
    for (std::size_t i = 0; i < n; ++i) list[i] = data()[i];
    return list;
  }
  template <std::size_t i>
  Size get(Source source = Source::here()) const {
    require_rank(2, source);
    return data()[i];
  }

  // Keeps the leading extents; new ones are 0.
  void resize(int rank) {
    if (rank > capacity_) grow(rank);
    Size* at = data();
    for (int i = rank_; i < rank; ++i) at[i] = 0;
    rank_ = rank;
  }
  void push_back(Size extent) {
    resize(rank_ + 1);
    data()[rank_ - 1] = extent;
  }
  void insert(int at, Size extent);  // before position `at`
  void erase(int at);

  // The product of the extents: 1 for rank 0.
  Size numel() const {
    Size n = 1;
    for (Size e : *this) n *= e;
    return n;
  }

  friend bool operator==(const Shape& a, const Shape& b) {
    if (a.rank_ != b.rank_) return false;
    if (a.rank_ == 0) return true;
    const Size *x = a.data(), *y = b.data();
    for (int i = 0; i < a.rank_; ++i)
      if (x[i] != y[i]) return false;
    return true;
  }

 private:
  static constexpr int inline_capacity = 6;
  template <class T>
  static Size number(const T& extent, Source source) {
    if constexpr (std::is_same_v<T, Extent>) return extent.value;
    else return checked_size(extent, "shape", source);
  }
  Size place(At i) const {
    const Size k = i.index < 0 ? i.index + rank_ : i.index;
    if (static_cast<std::uint64_t>(k) >= static_cast<std::uint64_t>(rank_)) [[unlikely]]
      fail_place(i);
    return k;
  }
  [[noreturn]] void fail_place(At i) const;
  void require_rank(std::size_t n, Source source) const;
  void assign(const Shape& other) {
    if (other.rank_ > capacity_) grow(other.rank_);
    rank_ = other.rank_;
    Size* to = data();
    const Size* from = other.data();
    for (int i = 0; i < rank_; ++i) to[i] = from[i];
  }
  void steal(Shape& other) noexcept {
    rank_ = other.rank_;
    capacity_ = other.capacity_;
    if (capacity_ > inline_capacity) heap_ = other.heap_;
    else
      for (int i = 0; i < rank_; ++i) inline_[i] = other.inline_[i];
    other.rank_ = 0;
    other.capacity_ = inline_capacity;
  }
  void free() noexcept {
    if (capacity_ > inline_capacity) [[unlikely]]
      give_back();  // a call: inline, GCC 12 warns of what it never does
  }
  void give_back() noexcept;
  void grow(int rank);

  int rank_ = 0;
  int capacity_ = inline_capacity;
  union {
    Size inline_[inline_capacity];
    Size* heap_;
  };
};

std::string to_string(const Shape& shape);  // "(3, 4)"

// Which axes a reduction goes over: one, 0; some, {0, -1}, in any order; none, {}; or all, if nothing is said.
class Axes {
 public:
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  Axes(T axis, Source source = Source::here()) : list_(axis, source) {}
  Axes() = default;
  template <class T, std::enable_if_t<std::is_same_v<T, At>, int> = 0>
  Axes(T axis) : list_(axis.index) {}
  template <class... More, class = std::enable_if_t<(std::is_convertible_v<More, At> && ...)>>
  Axes(At first, At second, More... more) : list_(first.index, second.index, static_cast<Size>(more)...) {}
  template <class T, class = std::enable_if_t<std::is_integral_v<T> && !std::is_same_v<T, bool>>>
  Axes(const std::vector<T>& list, Source source = Source::here()) : list_(list, source) {}
  Axes(const Shape& list) : list_(list) {}
  static Axes all() { return Axes(All()); }

  bool are_all() const { return all_; }
  const Shape& list() const { return list_; }  // as they were named; empty of all

 private:
  struct All {};
  explicit Axes(All) : all_(true) {}
  Shape list_;
  bool all_ = false;
};

}  // namespace xgrad

template <>
struct std::tuple_size<xgrad::Shape> : std::integral_constant<std::size_t, 2> {};
template <std::size_t i>
struct std::tuple_element<i, xgrad::Shape> {
  using type = xgrad::Size;
};

#pragma GCC visibility pop
