import HearthFleet
import HearthLedger
import Hummingbird
import NIOCore

/// What anyone who checks the ledger asks.
struct LedgerRoutes {
    let store: CoordinatorStore
    let ledger: Ledger

    private static let pageSize = 1000

    func add(to router: Router<CoordinatorContext>) {
        router.get("/v1/data/:name/places") { _, context in
            try JSONBody.response(try await store.places(of: try context.parameters.require("name")))
        }
        router.get("/v1/ledger/checkpoint") { _, _ in SiteRoutes.text("\(try await ledger.checkpoint())") }
        router.get("/v1/ledger/leaves") { request, _ in
            let first = try Self.number("from", request) ?? 0
            let leaves = try await store.leaves(from: first, limit: Self.pageSize)
            var body = ByteBuffer()
            for leaf in leaves {
                body.writeBytes(leaf)
                body.writeString("\n")
            }
            return Response(status: .ok, headers: [.contentType: "application/jsonl"], body: .init(byteBuffer: body))
        }
        router.get("/v1/ledger/proof") { request, _ in
            guard let index = try Self.number("index", request) else {
                throw HTTPError(.badRequest, message: "index: is missing")
            }
            guard let proof = try await ledger.proof(of: index) else {
                throw HTTPError(.notFound, message: "the ledger has no leaf \(index)")
            }
            return SiteRoutes.text("\(proof)")
        }
        router.get("/v1/ledger/consistency") { request, _ in
            guard let old = try Self.number("old", request) else {
                throw HTTPError(.badRequest, message: "old: is missing")
            }
            guard let proof = try await ledger.consistency(old: old) else {
                throw HTTPError(.notFound, message: "the ledger has fewer than \(old) leaves")
            }
            return try JSONBody.response(proof)
        }
    }

    private static func number(_ name: String, _ request: Request) throws -> Int? {
        guard let text = request.uri.queryParameters[Substring(name)] else { return nil }
        guard let number = Int(text), number >= 0 else {
            throw HTTPError(.badRequest, message: "\(name): '\(text.prefix(20))' is not a whole number from 0 up")
        }
        return number
    }
}
