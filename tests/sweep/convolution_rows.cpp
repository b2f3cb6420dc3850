// Convolutions, their transposes, and pools. The ops of which these are made, each other's cotangents, are asked as well.
#include "sweep/refusals.hpp"

namespace sweep {

namespace {

struct Convolutions {
  std::vector<Row> rows;
  void of(const char* name, Tensor (*f)(const Tensors&), const std::vector<Shapes>& shapes) {
    rows.push_back({name, f, std::vector<Domain>(shapes[0].size()), shapes});
  }
  void pool(const char* name, Tensor (*f)(const Tensors&), const std::vector<Shapes>& shapes) {
    rows.push_back({name, f, {{-40, 40, true}}, shapes, {}, "all elements tie: convolution_test has ties"});
  }
  void mean(const char* name, Tensor (*f)(const Tensors&), const std::vector<Shapes>& shapes) {
    rows.push_back({name, f, {{}}, shapes});
  }
};

// clang-format off
void add_convolutions(Convolutions& c) {
  c.of("conv1d", [](const Tensors& in) { return conv1d(in[0], in[1], {.stride = 2, .padding = 1}); },
       {{{2, 3, 6}, {4, 3, 3}}, {{3, 7}, {2, 3, 2}}, {{1, 1, 1}, {1, 1, 1}}, {{0, 2, 4}, {3, 2, 2}}, {{2, 2, 40}, {30, 2, 5}}});
  c.of("conv2d", [](const Tensors& in) { return conv2d(in[0], in[1]); },
       {{{2, 3, 4, 4}, {2, 3, 3, 3}}, {{2, 4, 4}, {2, 2, 2, 2}}, {{1, 2, 3, 2}, {2, 2, 1, 1}}, {{2, 2, 2, 3}, {1, 2, 2, 3}},
        {{2, 0, 3, 3}, {2, 0, 2, 2}}, {{2, 2, 3, 3}, {0, 2, 2, 2}}, {{3, 2, 13, 12}, {5, 2, 3, 3}}});
  c.of("conv2d with a bias", [](const Tensors& in) { return conv2d(in[0], in[1], in[2], {.padding = 1}); },
       {{{2, 2, 3, 3}, {3, 2, 3, 3}, {3}}, {{1, 3, 4}, {2, 1, 2, 3}, {2}}, {{0, 1, 3, 3}, {2, 1, 2, 2}, {2}}, {{2, 0, 2, 2}, {2, 0, 2, 2}, {2}},
        {{2, 3, 14, 15}, {4, 3, 3, 3}, {4}}});
  c.of("conv2d, odd strides and dilations",
       [](const Tensors& in) { return conv2d(in[0], in[1], {.stride = {3, 2}, .padding = {2, 1}, .dilation = {2, 3}}); },
       {{{2, 2, 5, 6}, {2, 2, 3, 2}}, {{1, 1, 3, 3}, {2, 1, 2, 2}}, {{2, 2, 20, 21}, {3, 2, 3, 3}}});
  c.of("conv2d in groups", [](const Tensors& in) { return conv2d(in[0], in[1], {.stride = 2, .padding = 1, .groups = 2}); },
       {{{2, 4, 4, 4}, {6, 2, 3, 3}}, {{1, 2, 3, 5}, {2, 1, 2, 3}}, {{2, 4, 20, 21}, {4, 2, 3, 3}}});
  c.of("conv3d", [](const Tensors& in) { return conv3d(in[0], in[1], {.stride = {1, 2, 1}, .padding = {1, 0, 1}}); },
       {{{1, 2, 2, 3, 3}, {2, 2, 2, 2, 3}}, {{2, 3, 4, 3}, {1, 2, 3, 2, 2}}, {{2, 2, 6, 9, 11}, {3, 2, 2, 3, 3}}});
  c.of("conv_transpose1d", [](const Tensors& in) { return conv_transpose1d(in[0], in[1], {.stride = 2, .output_padding = 1}); },
       {{{2, 3, 4}, {3, 2, 3}}, {{1, 5}, {1, 2, 1}}, {{0, 2, 4}, {2, 3, 2}}});
  c.of("conv_transpose2d with a bias",
       [](const Tensors& in) { return conv_transpose2d(in[0], in[1], in[2], {.stride = {2, 3}, .padding = 1, .groups = 2, .dilation = {1, 2}}); },
       {{{2, 2, 3, 3}, {2, 2, 3, 2}, {4}}, {{4, 3, 2}, {4, 1, 2, 3}, {2}}, {{2, 4, 9, 8}, {4, 2, 3, 3}, {4}}});
  c.of("conv2d of the whole image", [](const Tensors& in) { return conv2d(in[0], in[1], in[2], {.stride = 2}); },
       {{{3, 2, 2, 3}, {4, 2, 2, 3}, {4}}, {{2, 2, 2}, {1, 2, 2, 2}, {1}}, {{0, 2, 2, 2}, {1, 2, 2, 2}, {1}}});
  c.of("conv_transpose2d of one place", [](const Tensors& in) { return conv_transpose2d(in[0], in[1], in[2], {.stride = 3}); },
       {{{3, 2, 1, 1}, {2, 4, 2, 3}, {4}}, {{2, 1, 1}, {2, 1, 2, 2}, {1}}});
  c.of("conv_transpose3d", [](const Tensors& in) { return conv_transpose3d(in[0], in[1], {.padding = {0, 1, 0}}); },
       {{{1, 2, 2, 3, 2}, {2, 2, 2, 2, 2}}, {{2, 3, 4, 3}, {2, 1, 1, 3, 2}}});
  c.of("a weight's gradient", [](const Tensors& in) {  // linear in x and in y
    const EnableGrad on;
    const Tensor w = watch(zeros({2, 2, 2, 3}, in[0].dtype()));
    return grad(conv2d(in[0], w, {.stride = 2, .padding = 1}), {w}, in[1], {.create_graph = true})[0];
  }, {{{2, 2, 4, 5}, {2, 2, 3, 3}}, {{2, 4, 5}, {2, 3, 3}}});
}

void add_pools(Convolutions& c) {
  c.pool("max_pool1d", [](const Tensors& in) { return max_pool1d(in[0], 3, {.stride = 2, .padding = 1}); },
         {{{2, 3, 7}}, {{2, 6}}, {{0, 2, 5}}, {{20, 3, 41}}});
  c.pool("max_pool2d", [](const Tensors& in) { return max_pool2d(in[0], 2); }, {{{2, 2, 4, 5}}, {{3, 4, 2}}, {{1, 1, 2, 2}}, {{5, 4, 10, 12}}});
  c.pool("max_pool2d, windows that overlap",
         [](const Tensors& in) { return max_pool2d(in[0], {3, 2}, {.stride = 1, .padding = {1, 0}, .dilation = {1, 2}, .ceil_mode = true}); },
         {{{2, 2, 4, 5}}, {{1, 3, 3}}, {{5, 4, 10, 12}}});
  c.pool("max_pool3d", [](const Tensors& in) { return max_pool3d(in[0], 2, {.ceil_mode = true}); }, {{{1, 2, 3, 2, 4}}, {{2, 3, 3, 2}}});
  c.mean("avg_pool1d", [](const Tensors& in) { return avg_pool1d(in[0], 3, {.stride = 2, .padding = 1}); }, {{{2, 3, 7}}, {{2, 6}}, {{0, 2, 5}}});
  c.mean("avg_pool2d", [](const Tensors& in) { return avg_pool2d(in[0], 2); }, {{{2, 2, 4, 5}}, {{3, 4, 2}}, {{5, 4, 10, 12}}});
  c.mean("avg_pool2d of tiles", [](const Tensors& in) { return avg_pool2d(in[0], {3, 4}); }, {{{2, 2, 7, 9}}, {{3, 3, 4}}, {{0, 2, 3, 4}}});
  c.mean("avg_pool3d of all", [](const Tensors& in) { return avg_pool3d(in[0], {2, 3, 2}); }, {{{2, 2, 2, 3, 2}}});
  c.mean("avg_pool2d of what there is",
         [](const Tensors& in) { return avg_pool2d(in[0], 3, {.stride = 2, .padding = 1, .ceil_mode = true, .count_include_pad = false}); },
         {{{2, 2, 4, 5}}, {{3, 4, 2}}});
  c.mean("avg_pool3d", [](const Tensors& in) { return avg_pool3d(in[0], 2, {.ceil_mode = true}); }, {{{1, 2, 3, 2, 4}}, {{2, 3, 3, 2}}});
}

}  // namespace

std::vector<Row> convolution_rows() {
  Convolutions c;
  add_convolutions(c);
  add_pools(c);
  return std::move(c.rows);
}
// clang-format on

}  // namespace sweep
