import Crypto
import Foundation
import HearthJSON

/// Texts that whoever has them may do something with, and what is kept of them.
public enum Secret {
    /// 256 random bits, 64 hexadecimal digits.
    public static func random() -> String { SymmetricKey(size: .bits256).withUnsafeBytes { $0.hexadecimal } }

    /// SHA-256, hexadecimal: tells that somebody has it, and does not tell it.
    public static func digest(_ secret: some StringProtocol) -> String {
        SHA256.hash(data: Data(secret.utf8)).hexadecimal
    }
}
