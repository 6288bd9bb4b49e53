require "json"
require "pg"
require "rack"
require "redis"

# A storefront of one page: products come from PostgreSQL, the count of visits from Redis, features from its settings.
class Storefront
  VERSION = File.read(File.expand_path("../VERSION", __dir__)).strip

  def initialize
    @features = JSON.parse(File.read(File.expand_path("../config/features.json", __dir__)))
  end

  def call(env)
    case env["PATH_INFO"]
    when "/" then page
    when "/health" then health
    else answer(404, "nothing here\n")
    end
  end

  private

  def page
    visits = redis { |store| store.incr("visits") }
    products = database { |store| store.exec("select name, price from products order by name").to_a }
    rows = products.map { |product| "<li>#{escape(product["name"])}: #{escape(product["price"])}</li>" }
    enabled = @features.select { |_, on| on }.keys
    answer(200, <<~HTML, "text/html")
      <!doctype html>
      <title>#{escape(ENV.fetch("SHOP_NAME", "Storefront"))}</title>
      <h1>#{escape(ENV.fetch("SHOP_NAME", "Storefront"))}</h1>
      <ul>#{rows.join}</ul>
      <p>Release #{VERSION}, #{visits} visits, features: #{escape(enabled.join(", "))}</p>
    HTML
  end

  def health
    redis(&:ping)
    database { |store| store.exec("select 1 from products limit 1") }
    answer(200, "#{VERSION} is well\n")
  rescue PG::Error, Redis::BaseError => error
    warn "unwell: #{error.message}"
    answer(503, "unwell\n")
  end

  def database
    connection = PG.connect(ENV.fetch("DATABASE_URL"))
    yield connection
  ensure
    connection&.close
  end

  def redis
    store = Redis.new(url: ENV.fetch("REDIS_URL"))
    yield store
  ensure
    store&.close
  end

  def escape(text)
    Rack::Utils.escape_html(text)
  end

  def answer(status, body, type = "text/plain")
    [status, { "Content-Type" => "#{type}; charset=utf-8" }, [body]]
  end
end
