// Views, and joining and padding.
#include "sweep/refusals.hpp"

namespace sweep {

namespace {

struct Views {
  std::vector<Row> rows;
  void add(const char* name, Tensor (*f)(const Tensor&), std::vector<Shapes> shapes,
           std::vector<Refusal> refused = {}) {
    rows.push_back({name, [f](const Tensors& in) { return f(in[0]); }, {{}}, std::move(shapes), std::move(refused)});
  }
  void standard(const char* name, Tensor (*f)(const Tensor&), std::vector<Refusal> refused) {
    std::vector<Shapes> shapes;
    for (const Shape& s : standard_shapes()) shapes.push_back({s});
    add(name, f, std::move(shapes), std::move(refused));
  }
  void join(const char* name, Tensor (*f)(const Tensors&), std::size_t parts, std::vector<Shapes> shapes) {
    rows.push_back({name, f, std::vector<Domain>(parts), std::move(shapes)});
  }
};

Refusal shorter(int axis, Size extent) {
  return {[=](const Shape& s) { return s[axis < 0 ? axis + s.rank() : axis] < extent; }, "out of range"};
}
Refusal not_one(int axis) {
  return {[axis](const Shape& s) { return s[axis] != 1; }, "the extent is not 1"};
}

void add_reshapes(Views& v) {
  v.standard("reshape to one axis", [](const Tensor& x) { return reshape(x, {-1}); }, {});
  v.standard("reshape with axes of 1", [](const Tensor& x) { return reshape(square(x), {1, x.numel(), 1}); }, {});
  v.add("reshape",
        [](const Tensor& x) {
          return reshape(x, {2, -1, 3});
        },
        {{{6}}, {{3, 4}}, {{2, 3, 2, 2}}, {{36, 40}}});
  v.add("reshape of none", [](const Tensor& x) { return reshape(x, {3, 0}); }, {{{0}}, {{2, 0, 3}}});
  v.add("reshape to 0-d", [](const Tensor& x) { return reshape(x, {}); }, {{{}}, {{1}}, {{1, 1, 1}}});
  v.standard("flatten", [](const Tensor& x) { return flatten(x); }, {});
  v.standard("flatten from 1", [](const Tensor& x) { return flatten(x, 1); },
             {{[](const Shape& s) { return s.rank() == 1; }, "there is no such axis"}});
  v.standard("squeeze 1", [](const Tensor& x) { return squeeze(x, 1); }, {no_axis(1), not_one(1)});
  v.standard("squeeze 0", [](const Tensor& x) { return squeeze(x, 0); }, {no_axis(0), not_one(0)});
  v.standard("unsqueeze 0", [](const Tensor& x) { return unsqueeze(x, 0); }, {});
  v.standard("unsqueeze -1", [](const Tensor& x) { return unsqueeze(square(x), -1); }, {});
}

void add_permutations(Views& v) {
  v.standard("transpose", [](const Tensor& x) { return transpose(x); }, {});
  v.standard("transpose 0 -1", [](const Tensor& x) { return transpose(x, 0, -1); }, {no_axis(0)});
  v.add("permute 2 0 1",
        [](const Tensor& x) {
          return permute(x, {2, 0, 1});
        },
        {{{2, 3, 4}}, {{3, 3, 3}}, {{2, 0, 3}}, {{11, 12, 13}}});
  v.add("permute 3 1 0 2",
        [](const Tensor& x) {
          return permute(square(x), {3, 1, 0, -2});
        },
        {{{2, 3, 2, 2}}, {{2, 2, 2, 2}}, {{3, 5, 7, 16}}});
  v.add("transpose and multiply", [](const Tensor& x) { return transpose(x) * x; },
        {{{}}, {{5}}, {{4, 4}}, {{2, 1, 3}}, {{2, 2, 3, 3}}, {{40, 40}}});
  v.standard("flip 0", [](const Tensor& x) { return flip(x, 0); }, {no_axis(0)});
  v.standard("flip -1", [](const Tensor& x) { return flip(square(x), -1); }, {no_axis(0)});
  v.standard("flip 1", [](const Tensor& x) { return flip(x, 1) * x; }, {no_axis(1)});
  v.standard("roll -1", [](const Tensor& x) { return roll(square(x), 1, -1) * x; }, {no_axis(0)});
  v.standard("roll 0, back", [](const Tensor& x) { return roll(x, -2, 0); }, {no_axis(0)});
  v.standard("roll 1, by more than there are", [](const Tensor& x) { return roll(x, 1000003, 1) * x; }, {no_axis(1)});
}

void add_expansions(Views& v) {
  v.add("expand",
        [](const Tensor& x) {
          return expand(x, {2, 3, 4});
        },
        {{{}}, {{1}}, {{4}}, {{3, 1}}, {{1, 4}}, {{2, 1, 1}}, {{1, 3, 1}}, {{2, 3, 4}}});
  v.add("expand, large",
        [](const Tensor& x) {
          return square(expand(x, {3, 20, 40}));
        },
        {{{}}, {{40}}, {{20, 1}}, {{3, 1, 1}}, {{3, 1, 40}}});
  v.add("expand to none", [](const Tensor& x) { return expand(x, {0, 3}); }, {{{}}, {{1}}, {{3}}, {{1, 3}}, {{0, 1}}});
}

void add_slices(Views& v) {
  v.standard("slice from 1", [](const Tensor& x) { return slice(x, 0, 1); }, {no_axis(0), shorter(0, 1)});
  v.standard("slice from -2", [](const Tensor& x) { return slice(x, -1, -2); }, {no_axis(0), shorter(-1, 2)});
  v.standard("slice 1 ... -1", [](const Tensor& x) { return slice(x, -1, 1, -1); }, {no_axis(0), shorter(-1, 2)});
  v.standard("slice of none", [](const Tensor& x) { return slice(x, 0, 0, 0); }, {no_axis(0)});
  v.add("slice in steps of 2", [](const Tensor& x) { return slice(x, 0, 1, 5, 2); },
        {{{5}}, {{6, 2}}, {{7, 2, 2}}, {{7, 0}}, {{5, 600}}});
  v.add("slice in steps of 3", [](const Tensor& x) { return slice(square(x), -1, 0, 5, 3); },
        {{{5}}, {{2, 6}}, {{600, 5}}});
  // Slices whose cotangents are parts of one tensor, in another order than they were cut, or where they were
  const std::vector<Shapes> fours = {{{4}}, {{4, 4}}, {{4, 3, 4}}, {{8, 20}}, {{40, 40}}};
  v.add(
      "halves that change places",
      [](const Tensor& x) {
        const Size half = x.size(0) / 2;
        return concat({slice(x, 0, half), slice(x, 0, 0, half)}, 0);
      },
      fours);
  v.add(
      "halves of rows between each other",
      [](const Tensor& x) {
        const Size half = x.size(-1) / 2;
        return stack({slice(x, -1, 0, half), slice(x, -1, half)}, -1);
      },
      fours);
  v.add(
      "halves of columns beside each other",
      [](const Tensor& x) {
        const Size half = x.size(0) / 2;
        return concat({slice(x, 0, 0, half), slice(x, 0, half)}, -1);
      },
      fours);
  v.add("halves transposed",
        [](const Tensor& x) {
          const Size half = x.size(0) / 2;
          return concat({transpose(slice(x, 0, 0, half)), transpose(slice(x, 0, half))}, 0);
        },
        {{{4, 2}}, {{8, 4}}, {{40, 20}}});
  v.add(
      "halves that stay",
      [](const Tensor& x) {
        const Size half = x.size(0) / 2;
        return square(concat({slice(x, 0, 0, half), slice(x, 0, half)}, 0));
      },
      fours);
  v.add("slices that overlap", [](const Tensor& x) { return slice(x, 0, 0, -1) * slice(x, 0, 1); },
        {{{5}}, {{4, 3}}, {{1531}}, {{40, 45}}});
  static const auto cut_up = [](const Tensor& x) {
    const Tensor ends = slice(x, 0, 0, 5, 2) * slice(x, 0, 2), back = flip(slice(x, 0, 1, 4), 0);
    return ends * back * sum(slice(x, -1, 0, 1)) + x[1] * square(slice(x, 0, 0, 3)) + sum(x);
  };
  const std::vector<Shapes> fives = {{{5}}, {{5, 3}}, {{5, 2, 2}}, {{5, 600}}};
  v.add("slices of all kinds", cut_up, fives);
  v.add(
      "the gradient of slices of all kinds",
      [](const Tensor& x) { return value_and_grad([](const Tensor& u) { return sum(cut_up(u)); }, x).grad / 4; },
      fives);
  v.standard("x[i]", [](const Tensor& x) { return x[0] * x[-1]; }, {no_axis(0), shorter(0, 1)});
  v.standard("pad before", [](const Tensor& x) { return pad(x, 0, 2, 0); }, {no_axis(0)});
  v.standard("pad both", [](const Tensor& x) { return pad(square(x), -1, 1, 3); }, {no_axis(0)});
  v.standard("pad by 0", [](const Tensor& x) { return pad(x, 0, 0, 0); }, {no_axis(0)});
}

void add_joins(Views& v) {
  v.join("concat of one", [](const Tensors& in) { return concat({in[0]}, 0); }, 1, {{{3}}, {{2, 3}}, {{0}}});
  v.join("concat 0",
         [](const Tensors& in) {
           return concat({in[0], in[1]});
         },
         2, {{{2}, {3}}, {{2, 3}, {1, 3}}, {{0, 3}, {2, 3}}, {{2, 0}, {3, 0}}, {{900}, {700}}, {{20, 40}, {30, 40}}});
  v.join("concat -1",
         [](const Tensors& in) {
           return concat({in[0], in[1], in[2]}, -1);
         },
         3,
         {{{2}, {3}, {1}},
          {{2, 3}, {2, 1}, {2, 2}},
          {{2, 2}, {2, 2}, {2, 2}},
          {{2, 2, 3}, {2, 2, 0}, {2, 2, 2}},
          {{30, 20}, {30, 30}, {30, 1}}});
  v.join("concat 1",
         [](const Tensors& in) {
           return square(concat({in[0], in[1], in[2]}, 1));
         },
         3, {{{2, 1, 2}, {2, 2, 2}, {2, 3, 2}}, {{0, 1}, {0, 2}, {0, 1}}, {{9, 9, 9}, {9, 9, 9}, {9, 1, 9}}});
  v.join("concat of one tensor twice",
         [](const Tensors& in) {
           return concat({in[0], in[0] * 2, in[0]}, -1);
         },
         1, {{{3}}, {{2, 3}}, {{700}}});
  v.join("concat of many",
         [](const Tensors& in) {
           return concat({in[0], in[1], in[2], in[3], in[4]});
         },
         5,
         {{{2}, {1}, {0}, {3}, {2}},
          {{2, 2}, {2, 2}, {1, 2}, {2, 2}, {2, 2}},
          {{2, 300}, {1, 300}, {1, 300}, {1, 300}, {1, 300}}});
  v.join("stack 0",
         [](const Tensors& in) {
           return stack({in[0], in[1]});
         },
         2, {{{}, {}}, {{3}, {3}}, {{2, 3}, {2, 3}}, {{0}, {0}}});
  v.join("stack -1",
         [](const Tensors& in) {
           return stack({in[0], in[1], square(in[0])}, -1);
         },
         2, {{{}, {}}, {{3}, {3}}, {{2, 3}, {2, 3}}, {{30, 40}, {30, 40}}});
  v.join("stack 1", [](const Tensors& in) { return stack({in[0], in[1]}, 1); }, 2, {{{3}, {3}}, {{2, 3}, {2, 3}}});
}

}  // namespace

std::vector<Row> shape_rows() {
  Views v;
  add_reshapes(v);
  add_permutations(v);
  add_expansions(v);
  add_slices(v);
  add_joins(v);
  return std::move(v.rows);
}

}  // namespace sweep
