#include "optim/pass.hpp"

#include <algorithm>
#include <cstring>

#include "autodiff/parallel.hpp"

namespace xgrad::optim {

namespace {

constexpr Size together = 512;      // elements of small parameters that are worked on at once: a block of the formula
constexpr Size small = 256;         // of a parameter that is worked on with others
constexpr Size of_a_job = 1 << 14;  // elements
constexpr Size worth_sharing = 1 << 16;

std::vector<Job> jobs_of(const std::vector<Formula>& formulas) {
  std::vector<Job> jobs;
  for (const Formula& f : formulas)
    for (std::size_t i = 0; i < f.runs.size();) {
      const Run& run = f.runs[i];
      if (run.n > small) {
        for (Size from = 0; from < run.n; from += of_a_job)
          jobs.push_back({&f, i, i + 1, run.at + from, run.at + std::min(run.n, from + of_a_job)});
        ++i;
        continue;
      }
      std::size_t k = i + 1;
      const auto follows = [](const Run& before, const Run& next) {
        return next.at >= before.at + before.n && next.at <= before.until;
      };
      while (k < f.runs.size() && f.runs[k].n <= small && follows(f.runs[k - 1], f.runs[k]) &&
             f.runs[k].at + f.runs[k].n - run.at <= together)
        ++k;
      jobs.push_back({&f, i, k, run.at, f.runs[k - 1].at + f.runs[k - 1].n});
      i = k;
    }
  return jobs;
}

void work(const Job& job, Fused::Worker& worker, char* const* base_of_slots, char** base) {
  alignas(64) char p[together * 8], g[together * 8];
  const Formula& f = *job.formula;
  const Size item = item_size(f.dtype);
  for (int k = 0; k < f.slot_count; ++k) base[2 + k] = base_of_slots[0] + k * f.stride;
  const Run& first = f.runs[job.first];
  if (job.last == job.first + 1) {
    base[0] = first.p - first.at * item;
    base[1] = const_cast<char*>(first.g) - first.at * item;
    return worker(base, job.begin, job.end);
  }
  std::memset(p, 0, static_cast<std::size_t>((job.end - job.begin) * item));  // between them lie numbers of nobody's
  std::memset(g, 0, static_cast<std::size_t>((job.end - job.begin) * item));
  const auto each = [&](const auto& copy) {
    for (std::size_t i = job.first; i < job.last; ++i) {
      const Run& run = f.runs[i];
      copy(run, (run.at - job.begin) * item, static_cast<std::size_t>(run.n * item));
    }
  };
  each([&](const Run& run, Size at, std::size_t bytes) {
    std::memcpy(p + at, run.p, bytes), std::memcpy(g + at, run.g, bytes);
  });
  base[0] = p - job.begin * item;
  base[1] = g - job.begin * item;
  worker(base, job.begin, job.end);
  each([&](const Run& run, Size at, std::size_t bytes) { std::memcpy(run.p, p + at, bytes); });
}

}  // namespace

const Fused* renewed(std::vector<std::unique_ptr<Fused>>& kept, std::size_t n, const Callable<void(Tensors&)>& formula,
                     int operands, DType dtype, const char* name, Source source) {
  if (n < kept.size()) kept[n]->renew(formula, name, source);
  else kept.push_back(std::make_unique<Fused>(formula, operands, dtype, name, source));
  return kept[n].get();
}

Pass::Pass(std::vector<Formula> formulas) : formulas_(std::move(formulas)) {
  if (formulas_.empty()) return;
  Size total = 0;
  int slots = 0;
  for (const Formula& f : formulas_) {
    slots = std::max(slots, f.slot_count);
    for (const Run& run : f.runs) total += run.n;
  }
  jobs_ = jobs_of(formulas_);
  const int threads = total < worth_sharing ? 1 : workers_for(static_cast<Size>(jobs_.size()));
  workers_.resize(static_cast<std::size_t>(threads));
  bases_.resize(static_cast<std::size_t>(2 + slots) * static_cast<std::size_t>(threads));
  for (auto& list : workers_)
    for (const Formula& f : formulas_) list.emplace_back(*f.fused);
}

void Pass::run() {
  const Size count = static_cast<Size>(jobs_.size());
  const auto one = [&](Size job, int worker) {
    const Job& j = jobs_[static_cast<std::size_t>(job)];
    const auto which = static_cast<std::size_t>(j.formula - formulas_.data()), w = static_cast<std::size_t>(worker);
    work(j, workers_[w][which], &j.formula->slots, bases_.data() + bases_.size() / workers_.size() * w);
  };
  if (workers_.size() < 2) {
    for (Size job = 0; job < count; ++job) one(job, 0);
  } else {
    parallel_for(count, one);
  }
}

}  // namespace xgrad::optim
