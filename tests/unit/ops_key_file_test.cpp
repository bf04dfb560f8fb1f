// Key files: what is written is read again, and whatever is wrong with a file is refused in words.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "ops/key_file.h"
#include "tests/unit/scratch_folder.h"

namespace windlass::ops {
namespace {

using testing::AllOf;
using testing::HasSubstr;
using testing::Not;
namespace fs = std::filesystem;

class KeyFileTest : public testing::Test {
 protected:
  fs::path write(const std::string& text, mode_t mode = 0600) {
    fs::path file = folder_.write("key", text);
    ::chmod(file.c_str(), mode);
    return file;
  }
  static mode_t mode_of(const fs::path& file) {
    struct stat status {};
    ::stat(file.c_str(), &status);
    return status.st_mode & 07777;
  }
  test::ScratchFolder folder_;
  SecretKey key_ = SecretKey::generate();
};

TEST_F(KeyFileTest, ReadsWhatItWrote) {
  fs::path file = folder_ / "new/folder/key";
  ASSERT_TRUE(write_key_file(file, key_));
  EXPECT_EQ(mode_of(file), 0600u);
  EXPECT_EQ(mode_of(folder_ / "new/folder"), 0700u);
  EXPECT_EQ(folder_.read("new/folder/key"), to_hex(key_.reveal()) + "\n");
  EXPECT_EQ(read_key_file(file)->reveal(), key_.reveal());
  EXPECT_EQ(std::distance(fs::directory_iterator(folder_ / "new/folder"), {}), 1)
      << "nothing is left beside it";
}

TEST_F(KeyFileTest, ReadsANoteKey) {
  log::NoteSigner signer("ledger.example", Ed25519SecretKey::generate());
  fs::path file = folder_ / "log.key";
  ASSERT_TRUE(write_note_key_file(file, signer));
  EXPECT_EQ(read_note_key_file(file)->verifier().text(), signer.verifier().text());
  EXPECT_THAT(read_key_file(file).error(), HasSubstr("not a secp256k1 key"));
}

TEST_F(KeyFileTest, NeverReplacesAKey) {
  fs::path file = write("old");
  EXPECT_THAT(write_key_file(file, key_).error(), HasSubstr("exists already"));
  EXPECT_EQ(folder_.read("key"), "old");
}

TEST_F(KeyFileTest, RefusesAKeyThatOthersMayRead) {
  for (mode_t mode : {0644u, 0640u, 0604u, 0601u}) {
    fs::path file = write(to_hex(key_.reveal()) + "\n", mode);
    EXPECT_THAT(read_key_file(file).error(), HasSubstr("chmod 600 " + file.string())) << mode;
  }
  EXPECT_TRUE(read_key_file(write(to_hex(key_.reveal()), 0400)));
}

TEST_F(KeyFileTest, RefusesWhatIsNoKeyWithoutRepeatingIt) {
  for (std::string text :
       {std::string(), std::string("\n"), std::string(64, '0') + "\n", std::string(64, 'f') + "\n",
        std::string(63, 'a') + "\n", to_hex(key_.reveal()) + "\n\n", " " + to_hex(key_.reveal())})
    EXPECT_THAT(read_key_file(write(text)).error(),
                AllOf(HasSubstr("64 hex digits"), Not(HasSubstr(to_hex(key_.reveal())))));
}

TEST_F(KeyFileTest, TellsTheTwoKindsOfKeyApart) {
  log::NoteSigner signer("audits.example.org", Ed25519SecretKey::generate());
  ASSERT_TRUE(write_key_file(folder_ / "ledger", key_));
  ASSERT_TRUE(write_note_key_file(folder_ / "note", signer));
  EXPECT_EQ(std::get<SecretKey>(*read_any_key_file(folder_ / "ledger")).reveal(), key_.reveal());
  EXPECT_EQ(std::get<log::NoteSigner>(*read_any_key_file(folder_ / "note")).verifier().text(),
            signer.verifier().text());
  EXPECT_THAT(read_key_file(folder_ / "note").error(), HasSubstr("a log's or auditor's key"));
  EXPECT_THAT(read_note_key_file(folder_ / "ledger").error(), HasSubstr("a secp256k1 key"));
  EXPECT_THAT(read_any_key_file(write("neither\n")).error(), HasSubstr("no key"));
}

TEST_F(KeyFileTest, RefusesWhatIsNotAPlainFile) {
  EXPECT_THAT(read_key_file(folder_ / "absent").error(), HasSubstr("cannot be opened"));
  EXPECT_THAT(read_key_file(folder_.path()).error(), HasSubstr("not a regular file"));
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(read_key_file(folder_ / "pipe").error(), HasSubstr("not a regular file"));
  EXPECT_THAT(read_key_file(write(std::string(5000, 'a'))).error(), HasSubstr("too large"));
}

TEST_F(KeyFileTest, EncryptsUnderAPassphrase) {
  fs::path file = folder_ / "key";
  ASSERT_TRUE(write_key_file(file, key_, SecretText("correct horse")));
  std::string text = folder_.read("key");
  EXPECT_TRUE(text.starts_with("windlass-encrypted-key-v1 17 8 1 "));
  EXPECT_THAT(text, Not(HasSubstr(to_hex(key_.reveal()))));
  EXPECT_EQ(read_key_file(file, passphrase_from("correct horse"))->reveal(), key_.reveal());
  EXPECT_THAT(read_key_file(file, passphrase_from("wrong horse")).error(), HasSubstr("wrong passphrase"));
  EXPECT_THAT(read_key_file(file).error(), HasSubstr("no passphrase was given"));
  auto unable = [](const fs::path&) -> tl::expected<SecretText, std::string> {
    return tl::unexpected(std::string("say it aloud"));
  };
  EXPECT_THAT(read_key_file(file, unable).error(), HasSubstr("say it aloud"));
}

TEST_F(KeyFileTest, NoticesEveryChangeOfAnEncryptedKey) {
  ASSERT_TRUE(write_key_file(folder_ / "key", key_, SecretText("p")));
  const std::string text = folder_.read("key");
  auto fails_with = [&](std::string changed) {
    return read_key_file(write(changed), passphrase_from("p")).error();
  };
  std::string flipped = text;
  flipped[text.size() - 2] = text[text.size() - 2] == '0' ? '1' : '0';
  EXPECT_THAT(fails_with(flipped), HasSubstr("the file was changed"));
  EXPECT_THAT(fails_with(text.substr(0, text.rfind(' ')) + " 00\n"), HasSubstr("the file was changed"));
  for (const std::string& damaged :
       {text.substr(0, 60), "windlass-encrypted-key-v1 \n" + std::string(),
        text.substr(0, text.size() - 2) + "\n", "windlass-encrypted-key-v1 40 8 1" + text.substr(32),
        text.substr(0, text.size() - 1) + " more\n"})
    EXPECT_THAT(fails_with(damaged), HasSubstr("damaged")) << damaged;
}

// Made with Python's hashlib.scrypt and AESGCM of its cryptography package.
TEST_F(KeyFileTest, ReadsAFileMadeElsewhere) {
  fs::path file = write(
      "windlass-encrypted-key-v1 10 8 1 000102030405060708090a0b0c0d0e0f 101112131415161718191a1b "
      "b5c40745a0f68000f0ec3ddf087320a369339e980b079824b5eef8caf96f83aabdd1d6e950c491be8bcee88a28ff93c674ddd8"
      "a0e7d0c3af502d52978bb5e7a15cccb707212bf14395d147beaf9c417e\n");
  EXPECT_EQ(to_hex(read_key_file(file, passphrase_from("passphrase"))->reveal()), std::string(63, '0') + "1");
}

}  // namespace
}  // namespace windlass::ops
