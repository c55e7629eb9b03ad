import Crypto
import Foundation
import HearthLedger
import Testing

@Suite struct SignedNoteTests {
    /// The example of the format's first implementation, Go's sumdb/note.
    private static let peter = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    private static let enoch = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
    private static let secret = "PRIVATE+KEY+PeterNeumann+c74f20a3+AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"
    private static let text =
        "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
    private static let note =
        text + "\n"
        + "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
        + "\u{2014} EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"

    @Test func theReferencesNoteIsRead() throws {
        let note = try SignedNote(parsing: Self.note)
        #expect(note.text == Self.text && note.signatures.count == 2 && "\(note)" == Self.note)
        for text in [Self.peter, Self.enoch] {
            let key = try #require(VerifierKey(text))
            #expect("\(key)" == text && note.isSigned(by: key))
        }
        let signer = try #require(SignerKey(secret: Self.secret))
        #expect(signer.secret == Self.secret && "\(signer.verifier)" == Self.peter)
        var own = try SignedNote(text: Self.text)
        own.add(try signer.sign(Self.text, at: 0))
        let other = try #require(VerifierKey(Self.enoch))
        #expect(own.isSigned(by: signer.verifier) && !own.isSigned(by: other))
    }

    @Test func changedNotesAreNotSigned() throws {
        let key = try #require(VerifierKey(Self.peter))
        let changed = try SignedNote(
            parsing: Self.note.replacingOccurrences(of: "your problem is", with: "the answer is"))
        #expect(!changed.isSigned(by: key))
        let renamed = try SignedNote(parsing: Self.note.replacingOccurrences(of: "PeterNeumann", with: "PeterNewmann"))
        #expect(!renamed.isSigned(by: key))
    }

    @Test func malformedNotesAndKeysAreRefused() {
        for text in [
            "", "a\n", "a\n\n", "a\n\nb\n", "a\n\n\u{2014} n AAAA\n", "a\n\n\u{2014} n \u{2014}\n",
            "a\r\n\n\u{2014} n AAAAAAAA\n",
            "a\n\n\u{2014} a+b AAAAAAAA\n", "a\n\n\u{2014} n AAAAAAAA", "\n\u{2014} n AAAAAAAA\n",
        ] {
            #expect(throws: SignedNote.Problem.self, "\(text.debugDescription)") { try SignedNote(parsing: text) }
        }
        for text in ["", "a+b", "a+00000000+AAAA", Self.peter + "x", "x" + Self.peter, Self.peter.uppercased()] {
            #expect(VerifierKey(text) == nil)
        }
        for text in ["", Self.secret.replacingOccurrences(of: "c74f", with: "c74e"), Self.secret.lowercased()] {
            #expect(SignerKey(secret: text) == nil)
        }
    }

    @Test func checkpointsAreWitnessed() throws {
        let checkpoint = Checkpoint(origin: "example.com/log", size: 3, root: .empty)
        let (author, witness) = (SignerKey(name: "example.com/log"), SignerKey(name: "witness", kind: .witness))
        var note = try SignedNote(text: checkpoint.text)
        note.add(try author.sign(note.text, at: 0))
        note.add(try witness.sign(note.text, at: 1_700_000_000))
        let read = try SignedNote(parsing: "\(note)")
        #expect(try Checkpoint(read) == checkpoint)
        #expect(read.isSigned(by: author.verifier) && read.isSigned(by: witness.verifier))
        // A witness's name says what it signs: its key is no author's.
        let asAuthor = VerifierKey("\(witness.verifier)")
        #expect(asAuthor?.kind == .witness)
        // What a witness signs, as C2SP's tlog-cosignature spells it.
        let seen = "cosignature/v1\ntime 1700000000\n\(note.text)"
        let bytes = try #require(read.signatures.first { $0.name == "witness" }).bytes
        let publicKey = try Curve25519.Signing.PublicKey(rawRepresentation: witness.verifier.publicKey)
        #expect(bytes.prefix(8) == [0, 0, 0, 0, 0x65, 0x53, 0xF1, 0x00])
        #expect(publicKey.isValidSignature(bytes.dropFirst(8), for: Data(seen.utf8)))
        let other = Checkpoint(origin: "example.com/log", size: 4, root: .empty)
        var forged = try SignedNote(text: other.text)
        read.signatures.forEach { forged.add($0) }
        #expect(!forged.isSigned(by: author.verifier) && !forged.isSigned(by: witness.verifier))
    }

    @Test func malformedCheckpointsAreRefused() throws {
        let root = MerkleHash.empty.data.base64EncodedString()
        for text in [
            "a\n", "a\n1\n", "a\n-1\n\(root)\n", "a\n01\n\(root)\n", "a\n+1\n\(root)\n", "a\n1\nAAAA\n", "a\n1\nx\n",
        ] {
            #expect(throws: SignedNote.Problem.self) { try Checkpoint(try SignedNote(text: text)) }
        }
        #expect(try Checkpoint(try SignedNote(text: "a\n1\n\(root)\nextension\n")).size == 1)
    }
}
