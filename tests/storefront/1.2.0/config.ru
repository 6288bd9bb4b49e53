require_relative "lib/storefront"

run Storefront.new
