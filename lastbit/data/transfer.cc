#include "lastbit/data/transfer.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <exception>
#include <memory>
#include <mutex>
#include <string_view>
#include <system_error>
#include <unistd.h>

#include <curl/curl.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"

namespace lastbit {
namespace {

constexpr long kOk = 200;
constexpr long kPartial = 206;
constexpr long kRangeNotSatisfiable = 416;

struct CloseFile {
  void operator()(std::FILE* file) const noexcept { std::fclose(file); }
};
struct CloseCurl {
  void operator()(CURL* curl) const noexcept { curl_easy_cleanup(curl); }
};

[[noreturn]] void fail_write(const std::filesystem::path& path, int error) {
  throw InputError(
      cat("[fetch] cannot write ", path.string(), ": ", std::generic_category().message(error)));
}

// The first byte of "bytes 100-199/200"; false for anything else.
bool parse_content_range(std::string_view value, std::uint64_t& first) noexcept {
  constexpr std::string_view kUnit = "bytes ";
  if (!value.starts_with(kUnit)) return false;
  value.remove_prefix(kUnit.size());
  return std::from_chars(value.data(), value.data() + value.size(), first).ec == std::errc{};
}

class Transfer {
 public:
  explicit Transfer(const TransferRequest& request)
      : request_(request), file_(std::fopen(request.part.c_str(), "ab")), curl_(make_curl()) {
    if (!file_) fail_write(request_.part, errno);
    std::error_code error;
    start_ = std::filesystem::file_size(request_.part, error);
    if (error) fail_write(request_.part, error.value());
    if (start_ >= request_.size) restart();
    done_ = start_;
  }

  TransferResult run() {
    set_options();
    const CURLcode code = curl_easy_perform(curl_.get());
    if (failure_) std::rethrow_exception(failure_);
    if (std::fflush(file_.get()) != 0) fail_write(request_.part, errno);
    return judge(code);
  }

 private:
  static CURL* make_curl() {
    static std::once_flag once;
    std::call_once(once, [] { curl_global_init(CURL_GLOBAL_DEFAULT); });
    CURL* const curl = curl_easy_init();
    if (curl == nullptr) throw WorkError("[fetch] libcurl cannot be started");
    return curl;
  }

  void set_options() {
    CURL* const curl = curl_.get();
    curl_easy_setopt(curl, CURLOPT_URL, request_.url.c_str());
    curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
    curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 1L);
    curl_easy_setopt(curl, CURLOPT_MAXREDIRS, 10L);
    curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(curl, CURLOPT_USERAGENT, "lastbit");
    curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(1e3 * request_.timeout_s));
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    curl_easy_setopt(curl, CURLOPT_LOW_SPEED_TIME, static_cast<long>(request_.timeout_s));
    curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, message_.data());
    curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, &Transfer::on_body);
    curl_easy_setopt(curl, CURLOPT_WRITEDATA, this);
    curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, &Transfer::on_header);
    curl_easy_setopt(curl, CURLOPT_HEADERDATA, this);
    if (start_ > 0) curl_easy_setopt(curl, CURLOPT_RANGE, range_.assign(cat(start_, "-")).c_str());
  }

  long status() const noexcept {
    long status = 0;
    curl_easy_getinfo(curl_.get(), CURLINFO_RESPONSE_CODE, &status);
    return status;
  }

  void restart() {
    if (std::fflush(file_.get()) != 0 || ::ftruncate(::fileno(file_.get()), 0) != 0) {
      fail_write(request_.part, errno);
    }
    start_ = done_ = 0;
  }

  // Exceptions must not pass through libcurl's C frames: they wait in failure_.
  static std::size_t on_body(char* data, std::size_t size, std::size_t count, void* self) noexcept {
    auto* const transfer = static_cast<Transfer*>(self);
    try {
      return transfer->receive({data, size * count}) ? size * count : 0;
    } catch (...) {
      transfer->failure_ = std::current_exception();
      return 0;
    }
  }

  static std::size_t on_header(char* data,
                               std::size_t size,
                               std::size_t count,
                               void* self) noexcept {
    constexpr std::string_view kName = "content-range: ";
    const std::string_view line(data, size * count);
    const auto same = [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + 32 : a) == b; };
    if (line.size() > kName.size() &&
        std::equal(
            kName.begin(), kName.end(), line.begin(), [&](char b, char a) { return same(a, b); })) {
      auto* const transfer = static_cast<Transfer*>(self);
      transfer->has_range_ = parse_content_range(line.substr(kName.size()), transfer->range_first_);
    }
    return size * count;
  }

  // Bytes of an answer. False stops the transfer.
  bool receive(std::string_view bytes) {
    if (!begun_) {
      begun_ = true;
      const long code = status();
      wanted_ = code == kOk || code == kPartial;
      if (code == kOk && start_ > 0) restart();
      if (code == kPartial && (!has_range_ || range_first_ != start_)) {
        restart();
        wrong_range_ = true;
        return false;
      }
    }
    if (!wanted_) return true;
    if (bytes.size() > request_.size - done_) {
      too_large_ = true;
      return false;
    }
    if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) != bytes.size()) {
      fail_write(request_.part, errno);
    }
    done_ += bytes.size();
    if (request_.progress) request_.progress(done_);
    return true;
  }

  TransferResult judge(CURLcode code) {
    const auto end = [](TransferEnd how, std::string reason) {
      return TransferResult{.end = how, .reason = std::move(reason)};
    };
    if (too_large_) {
      restart();
      return end(TransferEnd::kHopeless,
                 cat("the server sends more than the expected ", request_.size, " bytes"));
    }
    if (wrong_range_) return end(TransferEnd::kRepeat, "the server sent another range than asked");
    const long answer = status();
    if (answer == kRangeNotSatisfiable) {
      restart();
      return end(TransferEnd::kRepeat, "the server cannot continue the file (416)");
    }
    if (answer >= 400) {
      const bool passing = answer == 408 || answer == 429 || answer >= 500;
      return end(passing ? TransferEnd::kRepeat : TransferEnd::kHopeless,
                 cat("the server answers ", answer, answer == 404 ? " (not found)" : ""));
    }
    if (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL ||
        code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_PEER_FAILED_VERIFICATION) {
      return end(TransferEnd::kHopeless, reason_of(code));
    }
    if (done_ == request_.size) return end(TransferEnd::kComplete, {});
    if (code != CURLE_OK) return end(TransferEnd::kRepeat, reason_of(code));
    if (answer != kOk && answer != kPartial) {
      return end(TransferEnd::kHopeless, cat("the server answers ", answer, " and no file"));
    }
    return end(TransferEnd::kRepeat,
               cat("the server ended after ", done_, " of ", request_.size, " bytes"));
  }

  std::string reason_of(CURLcode code) const {
    return message_[0] != '\0' ? message_.data() : curl_easy_strerror(code);
  }

  const TransferRequest& request_;
  std::unique_ptr<std::FILE, CloseFile> file_;
  std::unique_ptr<CURL, CloseCurl> curl_;
  std::array<char, CURL_ERROR_SIZE> message_{};
  std::string range_;
  std::uint64_t start_ = 0;  // bytes that were there before
  std::uint64_t done_ = 0;
  std::uint64_t range_first_ = 0;
  bool has_range_ = false;
  bool begun_ = false;
  bool wanted_ = false;
  bool too_large_ = false;
  bool wrong_range_ = false;
  std::exception_ptr failure_;
};

}  // namespace

TransferResult transfer(const TransferRequest& request) { return Transfer(request).run(); }

}  // namespace lastbit
