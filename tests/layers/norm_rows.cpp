#include "layers/row.hpp"

using namespace xgrad;

namespace layers {

std::vector<Row> norm_rows() {
  return {
      LAYER("batch_norm1d", nn::BatchNorm1d(3, {.dtype = d})),
      LAYER("batch_norm1d_length", nn::BatchNorm1d(3, {.dtype = d})),
      LAYER("batch_norm1d_length_1", nn::BatchNorm1d(3, {.dtype = d})),
      LAYER("batch_norm1d_no_examples", nn::BatchNorm1d(3, {.dtype = d})),
      LAYER("batch_norm1d_untracked", nn::BatchNorm1d(3, {.eps = 1e-3, .track_running_stats = false, .dtype = d})),
      LAYER("batch_norm2d", nn::BatchNorm2d(3, {.dtype = d})),
      LAYER("batch_norm2d_one_example", nn::BatchNorm2d(2, {.dtype = d})),
      LAYER("batch_norm2d_average", nn::BatchNorm2d(2, {.momentum = std::nullopt, .dtype = d})),
      LAYER("batch_norm2d_plain", nn::BatchNorm2d(2, {.eps = 0.1, .momentum = 0.3, .affine = false, .dtype = d})),
      LAYER("batch_norm3d", nn::BatchNorm3d(2, {.dtype = d})),
      LAYER("instance_norm1d", nn::InstanceNorm1d(3, {.dtype = d})),
      LAYER("instance_norm1d_tracked",
            nn::InstanceNorm1d(3, {.affine = true, .track_running_stats = true, .dtype = d})),
      LAYER("instance_norm1d_unbatched", nn::InstanceNorm1d(3, {.affine = true, .dtype = d})),
      LAYER("instance_norm2d", nn::InstanceNorm2d(3, {.eps = 1e-2, .affine = true, .dtype = d})),
      LAYER("instance_norm2d_tracked",
            nn::InstanceNorm2d(2, {.momentum = 0.4, .track_running_stats = true, .dtype = d})),
      LAYER("instance_norm3d", nn::InstanceNorm3d(2, {.dtype = d})),
      LAYER("layer_norm", nn::LayerNorm(6, {.dtype = d})),
      LAYER("layer_norm_vector", nn::LayerNorm(6, {.dtype = d})),
      LAYER("layer_norm_axes", nn::LayerNorm({3, 4}, {.eps = 1e-2, .dtype = d})),
      LAYER("layer_norm_plain", nn::LayerNorm(6, {.elementwise_affine = false, .dtype = d})),
      LAYER("layer_norm_no_examples", nn::LayerNorm(6, {.dtype = d})),
      LAYER("layer_norm_length_1", nn::LayerNorm(1, {.dtype = d})),
      LAYER("group_norm", nn::GroupNorm(2, 4, {.dtype = d})),
      LAYER("group_norm_images", nn::GroupNorm(1, 3, {.eps = 1e-2, .dtype = d})),
      LAYER("group_norm_each", nn::GroupNorm(4, 4, {.affine = false, .dtype = d})),
      LAYER("group_norm_rows", nn::GroupNorm(2, 6, {.dtype = d})),
      LAYER("group_norm_no_examples", nn::GroupNorm(2, 4, {.dtype = d})),
      LAYER("rms_norm", nn::RMSNorm(6, {.dtype = d})),
      LAYER("rms_norm_axes", nn::RMSNorm({3, 4}, {.eps = 1e-2, .dtype = d})),
      LAYER("rms_norm_plain", nn::RMSNorm(6, {.elementwise_affine = false, .dtype = d})),
  };
}

}  // namespace layers
