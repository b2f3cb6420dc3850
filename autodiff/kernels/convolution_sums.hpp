// The transpose of a convolution in w: sums of products over the positions of all images (convolution.cpp).
#pragma once

#include "autodiff/kernels/convolution_planes.hpp"
#include "autodiff/kernels/simd.hpp"
#include "autodiff/parallel.hpp"

namespace xgrad::kernels {

namespace {

constexpr Size slack = 64;  // numbers past the end that a vector may read, or write

// How the sums for w are cut: a job has some rows of w, and some images. What images are together is a matter of shapes.
// Lanes are channels where there are enough, and else positions.
struct SumJobs {
  static constexpr Size few_block = 16, many_block = 64, few_rows = 4;
  bool of_lanes;
  Size block, blocks, parts, count;
  Size images;      // of which the positions are summed at a time
  Size lanes;       // a row of sums: of all rows of the block, or of the few that are worked on together
  Size most_piece;  // positions
  SumJobs(const Convolution& c, Size item) {
    constexpr Size enough = 8;
    of_lanes = c.out * item >= 64;
    block = of_lanes ? std::min(many_block, (c.out * item + 63) / 64 * 64 / item) : few_block;
    blocks = (c.out + block - 1) / block * c.groups;
    parts = blocks == 0 || blocks >= enough
                ? 1
                : std::clamp<Size>((enough + blocks - 1) / blocks, 1, std::max<Size>(1, c.images));
    count = blocks * parts;
    lanes = of_lanes ? block : few_rows;
    most_piece = of_lanes ? most_of_lanes : most_positions;
    const Size lines = std::min(most_piece, c.result[0]) * std::min(most_piece, c.result[1]);
    const Size positions = std::max<Size>(1, lines * counted(std::min(most_piece, c.result[2])));
    images = std::clamp<Size>(most_piece / positions, 1, std::max<Size>(1, c.images / parts));
  }
  Size counted(Size length) const { return of_lanes ? length : (length + 15) / 16 * 16; }
};

// Sums of products of some rows of y, and of taps of x: lines of positions are collected, and then summed.
template <class T>
class Sums {
 public:
  Sums(Size rows, Size result, const T* planes, const Size* offset, Size depth, double* sums)
      : rows_(rows), result_(result), planes_(planes), offset_(offset), depth_(depth), sums_(sums) {}
  void add(const T* g, Size x, Size length) {
    if (length != length_ || (count_ + 1) * (length + 15) / 16 * 16 > most_positions) all();
    length_ = length;
    lines_[count_++] = {g, x};
  }
  void all() {
    for (Size r = 0; count_ > 0 && r < rows_; r += SumJobs::few_rows) {
      SumLine of_rows[most_positions / 16];
      for (Size i = 0; i < count_; ++i) of_rows[i] = {static_cast<const T*>(lines_[i].g) + r * result_, lines_[i].x};
      simd().correlate_weight[sizeof(T) == 8](of_rows, count_, length_, std::min(SumJobs::few_rows, rows_ - r), result_,
                                              planes_, offset_, depth_, sums_ + r * depth_);
    }
    count_ = 0;
  }

 private:
  Size rows_, result_;
  const T* planes_;
  const Size* offset_;
  Size depth_;
  double* sums_;
  SumLine lines_[most_positions / 16];
  Size count_ = 0, length_ = 0;
};

// The same with channels as lanes.
template <class T>
class SumsOfLanes {
 public:
  SumsOfLanes(Size rows, Size result, const T* planes, const Size* offset, Size depth, T* turned, Size lanes,
              double* sums)
      : rows_(rows),
        result_(result),
        planes_(planes),
        offset_(offset),
        depth_(depth),
        turned_(turned),
        lanes_(lanes),
        sums_(sums) {}
  void add(const T* g, Size x, Size length) {
    if (count_ == most_pieces || positions_ + length > most_of_lanes) all();
    pieces_[count_++] = {g, x, length};
    positions_ += length;
  }
  void all() {
    if (count_ > 0)
      simd().correlate_weight_lanes[sizeof(T) == 8](pieces_, count_, rows_, result_, planes_, offset_, depth_, turned_,
                                                    lanes_, sums_);
    count_ = positions_ = 0;
  }

 private:
  static constexpr Size most_pieces = 128;
  Size rows_, result_;
  const T* planes_;
  const Size* offset_;
  Size depth_;
  T* turned_;
  Size lanes_;
  double* sums_;
  SumPiece pieces_[most_pieces];
  Size count_ = 0, positions_ = 0;
};

// Where each tap of each channel reads the planes of x.
void offsets_in_x(const Convolution& c, const Lines& l, const Planes& p, Size* offset) {
  for (Size channel = 0; channel < c.in; ++channel)
    for (Size i = 0; i < c.kernel[0]; ++i)
      for (Size j = 0; j < c.kernel[1]; ++j)
        for (Size k = 0; k < c.kernel[2]; ++k) {
          const Size phase = (i % l[0].period * l[1].phases + j % l[1].period) * l[2].phases + k % l[2].period;
          *offset++ = channel * p.channel() + phase * p.size() + p.at(l[0].at(i), l[1].at(j), l[2].at(k));
        }
}

template <class T>
void to_w(const Convolution& c, const T* x, const T* y, T* w, Memory memory) {
  const Lines l(c);
  const Planes p = planes_of_x(l);
  const Size depth = c.in * product(c.kernel), image = product(c.image), result = product(c.result);
  const SumJobs jobs(c, sizeof(T));
  const Size of_image = c.in * p.channel(), numbers = jobs.images * of_image + slack;
  const Size of_job = jobs.block * depth;  // strips of [depth][lanes]
  Size* offset = memory.take<Size>(depth);
  const Laid<T> laid(memory, workers_for(jobs.count), numbers);
  T* turned = memory.take<T>(jobs.of_lanes ? workers_for(jobs.count) * jobs.lanes * most_of_lanes : 0);
  double* sums = memory.take<double>(jobs.count * of_job);
  offsets_in_x(c, l, p, offset);
  const Size blocks = jobs.blocks / c.groups;  // of a group
  parallel_for(jobs.count, [&](Size job, int worker) {
    const Size part = job / jobs.blocks, group = job % jobs.blocks / blocks, from = job % blocks * jobs.block;
    T* own = laid.of(worker);
    double* own_sums = sums + job * of_job;
    std::fill_n(own_sums, of_job, 0.0);
    const auto run = [&](auto all) {
      const Size end = c.images * (part + 1) / jobs.parts;
      Size place = 0;
      for (Size n = c.images * part / jobs.parts; n < end; ++n) {
        T* laid_out = own + place * of_image;
        lay_out_x(l, p, x + (n * c.groups + group) * c.in * image, c.in, laid_out);
        const T* g = y + ((n * c.groups + group) * c.out + from) * result;
        for (Size z = 0; z < c.result[0]; ++z)
          for (Size line = 0; line < c.result[1]; ++line)
            for (Size i = 0; i < c.result[2]; i += jobs.most_piece)
              all.add(g + (z * c.result[1] + line) * c.result[2] + i, place * of_image + p.at(z, line, i),
                      std::min(jobs.most_piece, c.result[2] - i));
        if (++place < jobs.images) continue;
        all.all();
        place = 0;
      }
      all.all();
    };
    const Size rows = std::min(jobs.block, c.out - from);
    if (jobs.of_lanes)
      run(SumsOfLanes<T>(rows, result, own, offset, depth, turned + worker * jobs.lanes * most_of_lanes, jobs.lanes,
                         own_sums));
    else run(Sums<T>(rows, result, own, offset, depth, own_sums));
  });
  // The parts' sums, of some rows at a time, become w.
  for (Size block = 0; block < jobs.blocks; ++block) {
    const Size first = block / blocks * c.out + block % blocks * jobs.block;  // row of w
    const Size rows = std::min(jobs.block, c.out - block % blocks * jobs.block);
    for (Size r = 0; r < rows; r += jobs.lanes)
      for (Size k = 0; k < depth; ++k) {
        const double* from = sums + block * of_job + r * depth + k * jobs.lanes;
        const Size together = std::min(jobs.lanes, rows - r);
        double total[SumJobs::many_block];
        std::copy_n(from, together, total);
        for (Size part = 1; part < jobs.parts; ++part) {
          from += jobs.blocks * of_job;
          for (Size i = 0; i < together; ++i) total[i] += from[i];
        }
        for (Size i = 0; i < together; ++i) w[(first + r + i) * depth + k] = static_cast<T>(total[i]);
      }
  }
}

// Bytes of memory for that, on as many threads as there are; `numbers`: of an image that is laid out.
__int128 sums_memory(const Convolution& c, Size item, __int128 numbers) {
  using Wide = __int128;
  const SumJobs jobs(c, item);
  const Wide taps = product(c.kernel), workers = workers_for(jobs.count);
  return ((numbers * jobs.images + slack + (jobs.of_lanes ? jobs.lanes * most_of_lanes : 0)) * item + 1) * workers +
         c.in * taps * 8 + static_cast<Wide>(jobs.count) * jobs.block * c.in * taps * 8;
}

}  // namespace

}  // namespace xgrad::kernels
