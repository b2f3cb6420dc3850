#include "layers/row.hpp"

using namespace xgrad;

namespace layers {

std::vector<Row> shape_rows() {
  using enum nn::Interpolation;
  return {
      LAYER("flatten", nn::Flatten{}),
      LAYER("flatten_axes", nn::Flatten{1, 2}),
      LAYER("unflatten", nn::Unflatten{1, {2, 3}}),
      LAYER("unflatten_rest", nn::Unflatten{-1, {2, -1}}),
      LAYER("pixel_shuffle", nn::PixelShuffle{2}),
      LAYER("pixel_shuffle_unbatched", nn::PixelShuffle{3}),
      LAYER("pixel_unshuffle", nn::PixelUnshuffle{2}),
      LAYER("channel_shuffle", nn::ChannelShuffle{3}),
      LAYER("zero_pad2d", nn::ZeroPad2d({1, 0, 2, 1})),
      LAYER("zero_pad2d_cut", nn::ZeroPad2d({1, -1, -1, 2})),
      LAYER("constant_pad1d", nn::ConstantPad1d(2, 3.5)),
      LAYER("constant_pad3d", nn::ConstantPad3d({1, 0, 0, 1, 1, 1}, -0.5)),
      LAYER("reflection_pad1d", nn::ReflectionPad1d({2, 1})),
      LAYER("reflection_pad2d", nn::ReflectionPad2d({2, 1, 0, 2})),
      LAYER("reflection_pad2d_unbatched", nn::ReflectionPad2d(1)),
      LAYER("reflection_pad3d", nn::ReflectionPad3d(1)),
      LAYER("replication_pad1d", nn::ReplicationPad1d({2, 3})),
      LAYER("replication_pad2d", nn::ReplicationPad2d({2, 1, 0, 3})),
      LAYER("replication_pad3d", nn::ReplicationPad3d(1)),
      LAYER("circular_pad2d", nn::CircularPad2d({2, 1, 0, 3})),
      LAYER("upsample_nearest", nn::Upsample({.scale_factor = 2})),
      LAYER("upsample_nearest_1d", nn::Upsample({.size = 7})),
      LAYER("upsample_nearest_down", nn::Upsample({.size = {2, 3}})),
      LAYER("upsample_nearest_factor", nn::Upsample({.scale_factor = {1.7, 0.6}})),
      LAYER("upsample_nearest_3d", nn::Upsample({.scale_factor = {2, 1, 3}})),
      LAYER("upsample_nearest_exact", nn::Upsample({.size = {5, 2}, .mode = nearest_exact})),
      LAYER("upsample_linear", nn::Upsample({.scale_factor = 2, .mode = linear})),
      LAYER("upsample_bilinear", nn::Upsample({.scale_factor = 2, .mode = bilinear})),
      LAYER("upsample_bilinear_corners", nn::Upsample({.size = {5, 1}, .mode = bilinear, .align_corners = true})),
      LAYER("upsample_bilinear_factor", nn::Upsample({.scale_factor = {1.7, 0.6}, .mode = bilinear})),
      LAYER("upsample_trilinear", nn::Upsample({.size = {3, 4, 5}, .mode = trilinear})),
      LAYER("upsample_bicubic", nn::Upsample({.scale_factor = 2, .mode = bicubic})),
      LAYER("upsample_bicubic_corners", nn::Upsample({.size = {7, 3}, .mode = bicubic, .align_corners = true})),
      LAYER("interpolate_area", nn::Upsample({.size = {3, 2}, .mode = area})),
  };
}

}  // namespace layers
