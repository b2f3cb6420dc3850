// IDX files (LeCun, Cortes, Burges: "The MNIST database of handwritten digits"), plain or gzip's.
#pragma once

#include <string>

#include <xgrad/data/dataset.hpp>

#pragma GCC visibility push(default)  // what the library exports

namespace xgrad::data {

// The numbers of an IDX file of bytes, in its shape: i64, or divided by 255 as f32 in [0, 1]. A file that is missing,
// truncated, too long, or not IDX is an Error that names it.
Tensor idx_integers(const std::string& path, Source source = Source::here());
Tensor idx_images(const std::string& path, Source source = Source::here());

// MNIST's test set, from a folder that holds t10k-images-idx3-ubyte and t10k-labels-idx1-ubyte (.gz or not), itself or
// in mnist_t10k/: f32 [10000, 784] in [0, 1] and i64 [10000], the first 8,000 to train on and the others to test.
Split mnist(const std::string& folder, Source source = Source::here());

}  // namespace xgrad::data

#pragma GCC visibility pop
