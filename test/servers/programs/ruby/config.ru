# The app of puma.
hello = "hello\n"
big = "x" * 20_000_000
plain = { "content-type" => "text/plain" }

events = Class.new do
  def each
    loop do
      yield "data: hello\n\n"
      sleep 0.25
    end
  end
end

run(lambda do |env|
  case "#{env["REQUEST_METHOD"]} #{env["PATH_INFO"]}"
  when "GET /" then [200, plain, [hello]]
  when "GET /slow"
    sleep 1
    [200, plain, [hello]]
  when "GET /big" then [200, plain.merge("content-length" => big.bytesize.to_s), [big]]
  when "GET /stream" then [200, { "content-type" => "text/event-stream" }, events.new]
  when "POST /post" then [200, plain, ["#{env["rack.input"].read.bytesize}\n"]]
  else [404, plain, [""]]
  end
end)
