import Foundation
import HearthFleet
import Hummingbird
import NIOCore

/// Server-sent events: `change` when something is other than it was, `log` with what a job's log grew by.
struct EventRoutes {
    let store: CoordinatorStore

    private static let pause = Duration.milliseconds(500)
    /// Browsers come back by themselves; a stream that nobody reads any more is not kept.
    private static let longest = Duration.seconds(300)

    func add(to router: Router<CoordinatorContext>) {
        router.get("/v1/events") { request, _ in
            let job = request.uri.queryParameters["job"].map(String.init)
            if let job { _ = try await store.job(job) }
            return Response(
                status: .ok, headers: [.contentType: "text/event-stream", .cacheControl: "no-store"],
                body: .init { [store] writer in
                    try await Self.write(&writer, store, job)
                    try await writer.finish(nil)
                })
        }
    }

    private static func write(_ writer: inout any ResponseBodyWriter, _ store: CoordinatorStore, _ job: String?)
        async throws
    {
        let end = ContinuousClock.now + longest
        var (state, offset) = (try await store.changeMark(), 0)
        // What changed since the page was made, before this stream began, is asked for, too.
        try await writer.write(ByteBuffer(string: "retry: 2000\n\nevent: change\ndata: \n\n"))
        while ContinuousClock.now < end, !Task.isShuttingDownGracefully, !Task.isCancelled {
            var text = ""
            if let job {
                let chunk = try await store.log(job, from: offset)
                if !chunk.text.isEmpty {
                    text +=
                        "event: log\ndata: \(String(decoding: try JSONEncoder().encode(chunk.text), as: UTF8.self))\n\n"
                }
                offset = chunk.nextOffset
            }
            let now = try await store.changeMark()
            if now != state { text += "event: change\ndata: \n\n" }
            state = now
            if !text.isEmpty { try await writer.write(ByteBuffer(string: text)) }
            try await Task.sleep(for: pause)
        }
    }
}
