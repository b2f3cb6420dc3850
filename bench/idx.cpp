// MNIST's files, read without any of the libraries that are compared.
#include <zlib.h>

#include <cstdlib>
#include <stdexcept>

#include "bench/worker.hpp"

namespace bench {
namespace {

// The bytes behind an IDX header of so many sizes (zlib reads plain files too).
std::vector<unsigned char> read(const std::string& path, int sizes) {
  const gzFile file = gzopen(path.c_str(), "rb");
  if (!file) throw std::runtime_error("cannot open " + path);
  std::vector<unsigned char> bytes;
  unsigned char block[1 << 16];
  for (int got; (got = gzread(file, block, sizeof block)) > 0;) bytes.insert(bytes.end(), block, block + got);
  gzclose(file);
  const std::size_t header = 4 + 4 * static_cast<std::size_t>(sizes);
  if (bytes.size() < header) throw std::runtime_error(path + " is no IDX file");
  return {bytes.begin() + static_cast<std::ptrdiff_t>(header), bytes.end()};
}

}  // namespace

const char* data_folder() {
  const char* folder = std::getenv("XGRAD_DATA");
  return folder && *folder ? folder : nullptr;
}

Images read_mnist() {
  const std::string start = std::string(data_folder()) + "/mnist_t10k/t10k-";
  Images images;
  for (const unsigned char byte : read(start + "images-idx3-ubyte.gz", 3))
    images.pixels.push_back(static_cast<float>(byte) / 255.0f);
  for (const unsigned char byte : read(start + "labels-idx1-ubyte.gz", 1)) images.labels.push_back(byte);
  return images;
}

}  // namespace bench
