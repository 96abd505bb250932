#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <jerror.h>
#include <jpeglib.h>

#include "lastbit/base/error.h"
#include "lastbit/base/text.h"
#include "lastbit/data/image_formats.h"

namespace lastbit {
namespace {

// A progressive file of a few bytes can ask for its image to be passed over thousands of times.
constexpr int kMaxScans = 200;

bool is_damage(int message) {
  return message == JWRN_HIT_MARKER || message == JWRN_JPEG_EOF || message == JWRN_HUFF_BAD_CODE ||
         message == JWRN_MUST_RESYNC;
}

/// libjpeg reports errors by jumping out of its functions, so no object with a destructor lives in
/// the frames that are jumped over: those of this class's functions.
class Decoder {
 public:
  Decoder() {
    info_.err = ::jpeg_std_error(&errors_);
    errors_.error_exit = [](j_common_ptr info) { of(info).leave(); };
    errors_.emit_message = [](j_common_ptr info, int level) {
      if (level < 0 && is_damage(info->err->msg_code)) of(info).leave();
    };
    errors_.output_message = [](j_common_ptr) {};
    info_.client_data = this;
    progress_.progress_monitor = [](j_common_ptr info) {
      if (reinterpret_cast<j_decompress_ptr>(info)->input_scan_number <= kMaxScans) return;
      std::snprintf(of(info).text_, JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
      std::longjmp(of(info).jump_, 1);
    };
  }
  Decoder(const Decoder&) = delete;
  Decoder& operator=(const Decoder&) = delete;
  ~Decoder() { ::jpeg_destroy_decompress(&info_); }

  bool read_header(std::span<const std::byte> file) {
    if (setjmp(jump_) != 0) return false;
    ::jpeg_create_decompress(&info_);
    info_.client_data = this;
    info_.progress = &progress_;
    ::jpeg_mem_src(&info_, reinterpret_cast<const unsigned char*>(file.data()), file.size());
    ::jpeg_read_header(&info_, TRUE);
    return true;
  }

  ImageSize size() const { return {info_.image_height, info_.image_width}; }

  /// Starts decoding at 1 / `denominator`. Afterwards `output_size` and `output_channels` hold.
  bool start(unsigned denominator) {
    if (setjmp(jump_) != 0) return false;
    info_.scale_num = 1;
    info_.scale_denom = denominator;
    const bool four = info_.jpeg_color_space == JCS_CMYK || info_.jpeg_color_space == JCS_YCCK;
    info_.out_color_space = four ? JCS_CMYK : JCS_RGB;
    info_.dct_method = JDCT_ISLOW;
    ::jpeg_start_decompress(&info_);
    return true;
  }

  ImageSize output_size() const { return {info_.output_height, info_.output_width}; }
  std::size_t output_channels() const { return static_cast<std::size_t>(info_.output_components); }
  /// Whether 255 stands for no ink, as Adobe's programs write it.
  bool inverted() const { return info_.saw_Adobe_marker != FALSE; }

  /// @param pixels  (output_size(), output_channels())
  bool read_rows(std::uint8_t* pixels) {
    if (setjmp(jump_) != 0) return false;
    const std::size_t stride = std::size_t{info_.output_width} * output_channels();
    while (info_.output_scanline < info_.output_height) {
      JSAMPROW row = pixels + info_.output_scanline * stride;
      ::jpeg_read_scanlines(&info_, &row, 1);
    }
    ::jpeg_finish_decompress(&info_);
    return true;
  }

  const char* reason() const { return text_; }

 private:
  static Decoder& of(j_common_ptr info) { return *static_cast<Decoder*>(info->client_data); }
  [[noreturn]] void leave() {
    errors_.format_message(reinterpret_cast<j_common_ptr>(&info_), text_);
    std::longjmp(jump_, 1);
  }

  jpeg_decompress_struct info_{};
  jpeg_error_mgr errors_{};
  jpeg_progress_mgr progress_{};
  std::jmp_buf jump_{};
  char text_[JMSG_LENGTH_MAX] = {};
};

[[noreturn]] void fail(const Decoder& decoder, const std::string& where) {
  throw FormatError(cat("[image] ", where, " is a damaged JPEG: ", decoder.reason()));
}

void open(Decoder& decoder, std::span<const std::byte> file, const std::string& where) {
  if (!decoder.read_header(file)) fail(decoder, where);
  check_image_size(decoder.size(), where);
}

// Ink of four colours to light of three, in place.
std::vector<std::uint8_t> rgb_of(const std::vector<std::uint8_t>& cmyk, bool inverted) {
  std::vector<std::uint8_t> rgb(cmyk.size() / 4 * 3);
  for (std::size_t i = 0; i < cmyk.size() / 4; ++i) {
    for (std::size_t c = 0; c < 3; ++c) {
      const unsigned ink = cmyk[4 * i + c];
      const unsigned black = cmyk[4 * i + 3];
      const unsigned product = inverted ? ink * black : (255U - ink) * (255U - black);
      rgb[3 * i + c] = static_cast<std::uint8_t>((product + 127U) / 255U);
    }
  }
  return rgb;
}

}  // namespace

ImageSize read_jpeg_size(std::span<const std::byte> file, const std::string& where) {
  Decoder decoder;
  open(decoder, file, where);
  return decoder.size();
}

Image decode_jpeg(std::span<const std::byte> file, const std::string& where, std::int64_t least) {
  Decoder decoder;
  open(decoder, file, where);
  const std::int64_t shorter = std::min(decoder.size().height, decoder.size().width);
  std::int64_t denominator = 1;
  while (least > 0 && denominator < 8 && shorter / (2 * denominator) >= 2 * least) denominator *= 2;
  if (!decoder.start(static_cast<unsigned>(denominator))) fail(decoder, where);
  const ImageSize size = decoder.output_size();
  const std::size_t channels = decoder.output_channels();
  Image image{.size = size, .pixels = {}};
  image.pixels.resize(static_cast<std::size_t>(size.height * size.width) * channels);
  if (!decoder.read_rows(image.pixels.data())) fail(decoder, where);
  if (channels == 4) image.pixels = rgb_of(image.pixels, decoder.inverted());
  return image;
}

}  // namespace lastbit
