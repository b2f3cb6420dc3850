// Writes random programs.
#pragma once

#include <fmt/format.h>

#include "dice.hpp"
#include "program.hpp"

namespace programs {

Program random_program(std::uint64_t seed);

Shape united(const Shape& x, const Shape& y);  // the shape that two broadcast to; {-1}: none

class Generator {
 public:
  explicit Generator(std::uint64_t seed) : dice_(seed) { p_.seed = seed; }
  Program make();

 private:
  // Sizes and numbers (generator.cpp).
  Shape some_shape();
  Shape like(const Shape& base);  // one that broadcasts with it, most often
  Tensor data(DType dtype, const Shape& shape);
  Tensor contiguous_data(DType dtype, const Shape& shape);
  Tensor stored(DType dtype, const Shape& shape);  // data, at times a view of other data
  bool affordable(const Shape& shape) const;
  double budget_ = 0;  // elements

  // Slots.
  int add(std::string text, std::vector<int> in, DType dtype, const Shape& shape, double bound, Run run,
          bool cut = false);
  int leaf(DType dtype, const Shape& shape);
  int read_parameter(int parameter);
  const Step& at(int slot) const { return p_.at(slot); }
  double bound(int slot) const { return bounds_[static_cast<std::size_t>(slot)]; }
  template <class Wanted>
  int find(const Wanted& wanted);  // a slot, late ones more often; -1: none
  int some_float();
  int limited(int x);  // x, brought to where numbers do not run away
  int within(int x, double low, double high);
  int partner(int x);                 // of x's dtype, that broadcasts with it
  int condition(const Shape& shape);  // a boolean that broadcasts with it
  Shape together(int x, int y) const { return united(at(x).shape, at(y).shape); }
  bool broadcasts(const Shape& x, const Shape& y) const;
  DType some_dtype();
  int some_axis(const Shape& shape);  // the first and the last more often

  // Families of ops: each adds some steps (a file each).
  void unary();
  void binary();
  void ternary();
  void integers();
  void compare();
  void logic();
  void choose();
  void clip();
  void convert();
  void reduce_all();
  void reduce_axis();
  void reduce_axes();
  void along_axis();
  void standardize_rows(int x);
  void algebra();  // mathematics.cpp
  void order();
  void windows();
  void running();
  void reduce_some();
  void reshape_it();
  void turn();
  void repeat();
  void cut_out();
  void join();
  void pick();
  void product();
  void stop();
  void differentiate();
  void assign();
  void backward();
  void draw();
  std::pair<int, int> two_alike();
  int first_numbers(int x, Size most);
  void transform();  // transforms.cpp
  void custom();
  void checkpoints();
  void scopes();
  void fail();      // failures.cpp
  void optimize();  // training.cpp
  void layer();
  void hand_over();
  void cross();
  int index(Size extent, const Shape& shape);
  int matrix(DType dtype, const Shape& shape);

  void loss();
  void outputs();

  Dice dice_;
  Program p_;
  std::vector<double> bounds_;  // of the slots' magnitudes
  std::vector<Shape> bases_;
  std::vector<bool> assigned_;
  bool no_grad_ = false;
};

template <class Wanted>
int Generator::find(const Wanted& wanted) {
  const int n = static_cast<int>(p_.steps.size());
  const int from = dice_.chance(0.5) ? std::max(0, n - 5) : 0;
  for (int begin : {from, 0}) {
    std::vector<int> fit;
    for (int i = begin; i < n; ++i)
      if (wanted(i)) fit.push_back(i);
    if (!fit.empty()) return dice_.one_of(fit);
  }
  return -1;
}

}  // namespace programs
