#include "layers/row.hpp"

using namespace xgrad;

namespace layers {

std::vector<Row> convolution_rows() {
  constexpr nn::PaddingMode reflect = nn::PaddingMode::reflect, replicate = nn::PaddingMode::replicate,
                            circular = nn::PaddingMode::circular;
  (void)reflect, (void)replicate, (void)circular;
  // clang-format off
  return {
      LAYER("conv1d", nn::Conv1d(3, 4, 3, {.dtype = d})),
      LAYER("conv1d_same", nn::Conv1d(2, 4, 4, {.padding = "same", .dilation = 2, .dtype = d})),
      LAYER("conv1d_reflect", nn::Conv1d(2, 4, 3, {.stride = 2, .padding = 2, .padding_mode = reflect, .dtype = d})),
      LAYER("conv1d_unbatched", nn::Conv1d(2, 3, 2, {.dtype = d})),
      LAYER("conv1d_length_1", nn::Conv1d(2, 3, 3, {.padding = 1, .dtype = d})),
      LAYER("conv2d", nn::Conv2d(3, 4, 3, {.dtype = d})),
      LAYER("conv2d_options", nn::Conv2d(4, 6, {3, 2}, {.stride = {2, 1}, .padding = {1, 0}, .dilation = {1, 2}, .groups = 2, .bias = false, .dtype = d})),
      LAYER("conv2d_same_even", nn::Conv2d(2, 3, {2, 4}, {.padding = "same", .dtype = d})),
      LAYER("conv2d_same_replicate", nn::Conv2d(2, 3, {2, 3}, {.padding = "same", .padding_mode = replicate, .dtype = d})),
      LAYER("conv2d_valid", nn::Conv2d(2, 3, 2, {.padding = "valid", .dtype = d})),
      LAYER("conv2d_circular", nn::Conv2d(2, 3, 3, {.padding = {1, 2}, .padding_mode = circular, .dtype = d})),
      LAYER("conv2d_replicate", nn::Conv2d(2, 3, 3, {.stride = 2, .padding = {2, 1}, .padding_mode = replicate, .dtype = d})),
      LAYER("conv2d_depthwise", nn::Conv2d(4, 8, 3, {.padding = 1, .groups = 4, .dtype = d})),
      LAYER("conv2d_no_examples", nn::Conv2d(3, 4, 3, {.dtype = d})),
      LAYER("conv2d_unbatched", nn::Conv2d(3, 2, 3, {.padding = 1, .padding_mode = reflect, .dtype = d})),
      LAYER("conv3d", nn::Conv3d(2, 3, 2, {.dtype = d})),
      LAYER("conv3d_circular", nn::Conv3d(2, 2, {1, 3, 2}, {.stride = {1, 2, 1}, .padding = {0, 1, 1}, .padding_mode = circular, .dtype = d})),
      LAYER("conv_transpose1d", nn::ConvTranspose1d(3, 4, 3, {.dtype = d})),
      LAYER("conv_transpose1d_options",
            nn::ConvTranspose1d(4, 6, 3, {.stride = 3, .padding = 1, .output_padding = 2, .groups = 2, .dilation = 2, .dtype = d})),
      LAYER("conv_transpose1d_unbatched", nn::ConvTranspose1d(2, 3, 2, {.stride = 2, .dtype = d})),
      LAYER("conv_transpose2d", nn::ConvTranspose2d(3, 2, 3, {.stride = 2, .padding = 1, .dtype = d})),
      LAYER("conv_transpose2d_options",
            nn::ConvTranspose2d(2, 4, {3, 2}, {.stride = {2, 3}, .padding = {1, 0}, .output_padding = {1, 2}, .groups = 2, .bias = false, .dilation = {2, 1},
                                               .dtype = d})),
      {"conv_transpose2d_output_size",
       [](DType d) {
         return subject(nn::ConvTranspose2d(2, 3, 3, {.stride = 2, .padding = 1, .dtype = d}),
                        [](const nn::ConvTranspose2d& l, const Tensors& in) { return l.with_output_size(in[0], {6, 7}); });
       }},
      LAYER("conv_transpose2d_no_examples", nn::ConvTranspose2d(3, 2, 3, {.dtype = d})),
      LAYER("conv_transpose3d", nn::ConvTranspose3d(2, 3, 2, {.stride = 2, .dtype = d})),

      LAYER("max_pool1d", nn::MaxPool1d(2)),
      LAYER("max_pool1d_options", nn::MaxPool1d(3, {.stride = 2, .padding = 1, .dilation = 2, .ceil_mode = true})),
      LAYER("max_pool2d", nn::MaxPool2d(2)),
      LAYER("max_pool2d_options", nn::MaxPool2d({3, 2}, {.stride = {2, 1}, .padding = {1, 0}})),
      LAYER("max_pool2d_unbatched", nn::MaxPool2d(2)),
      LAYER("max_pool2d_no_examples", nn::MaxPool2d(2)),
      LAYER("max_pool3d", nn::MaxPool3d(2)),
      LAYER("avg_pool1d", nn::AvgPool1d(3, {.stride = 2, .padding = 1})),
      LAYER("avg_pool2d", nn::AvgPool2d(2)),
      LAYER("avg_pool2d_options", nn::AvgPool2d({3, 2}, {.stride = {2, 1}, .padding = {1, 1}, .ceil_mode = true, .count_include_pad = false})),
      LAYER("avg_pool3d", nn::AvgPool3d(2)),
      LAYER("adaptive_avg_pool1d", nn::AdaptiveAvgPool1d(3)),
      LAYER("adaptive_avg_pool1d_more", nn::AdaptiveAvgPool1d(5)),
      LAYER("adaptive_avg_pool2d", nn::AdaptiveAvgPool2d({3, 2})),
      LAYER("adaptive_avg_pool2d_even", nn::AdaptiveAvgPool2d({2, -1})),
      LAYER("adaptive_avg_pool2d_one", nn::AdaptiveAvgPool2d(1)),
      LAYER("adaptive_avg_pool2d_unbatched", nn::AdaptiveAvgPool2d({2, 3})),
      LAYER("adaptive_avg_pool3d", nn::AdaptiveAvgPool3d({2, 3, 2})),
      LAYER("adaptive_max_pool1d", nn::AdaptiveMaxPool1d(3)),
      LAYER("adaptive_max_pool2d", nn::AdaptiveMaxPool2d({3, 2})),
      LAYER("adaptive_max_pool2d_relu", nn::Sequential(nn::ReLU(), nn::AdaptiveMaxPool2d({3, 2}))),
      LAYER("adaptive_max_pool2d_unbatched", nn::AdaptiveMaxPool2d({2, 3})),
      LAYER("adaptive_max_pool3d", nn::AdaptiveMaxPool3d({2, 3, 2})),
  };
  // clang-format on
}

}  // namespace layers
