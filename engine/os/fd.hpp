// A descriptor with an owner: closed once, never by two.
#pragma once

#include <utility>

#include "engine/os/kernel.hpp"

namespace vcpr::os {

/// Owns one descriptor of one Kernel's process. Move only; the destructor closes. A dead image closes nothing: the
/// kernel already did.
class Fd {
 public:
  Fd() = default;
  /// Takes over `number`, which must be open in that process and owned by nobody else.
  Fd(Kernel& kernel, int number) : kernel_(&kernel), number_(number) {}
  Fd(Fd&& other) noexcept : kernel_(other.kernel_), number_(std::exchange(other.number_, -1)) {}
  Fd& operator=(Fd&& other) noexcept {
    if (this != &other) {
      reset();
      kernel_ = other.kernel_;
      number_ = std::exchange(other.number_, -1);
    }
    return *this;
  }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  ~Fd() { reset(); }

  bool is_open() const { return number_ >= 0; }
  explicit operator bool() const { return is_open(); }
  /// For passing to a syscall at once; do not keep it.
  int number() const { return number_; }
  Kernel* kernel() const { return kernel_; }

  /// Gives the descriptor away; the caller owns the number.
  [[nodiscard]] int release() { return std::exchange(number_, -1); }
  /// Closes now; an error of close(2) is not reported because the descriptor is gone either way.
  void reset() {
    if (number_ >= 0) (void)kernel_->close(std::exchange(number_, -1));
  }

 private:
  Kernel* kernel_ = nullptr;
  int number_ = -1;
};

}  // namespace vcpr::os
